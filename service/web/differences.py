"""Which words of two texts differ.

Myers, "An O(ND) difference algorithm and its variations" (1986): texts that have much in common
cost next to nothing, however long. For those that have not, the work is bounded: all between their
equal beginnings and ends then counts as different, which is what a reader would say as well.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

#: Comparisons of words; some 50 ms.
MAX_STEPS = 100_000
#: A mark, fullwidth or not, or all up to the next one, as some scripts have no spaces; with the
#: space behind it.
_MARKS = r",.;:!?()\[\]{}\"/|\u3001\u3002\uff01\uff0c\uff1a\uff1b\uff1f"
_WORD = re.compile(rf"(?:^\s+)?(?:[^\s{_MARKS}]+|\S)\s*|^\s+$")


@dataclass(frozen=True, slots=True)
class Part:
    """Some words in a row."""

    text: str
    differs: bool


def differences(left: str, right: str) -> tuple[list[Part], list[Part]]:
    """Return both texts in parts, those marked that the other has not; spaces do not count."""
    ours, theirs = _WORD.findall(left), _WORD.findall(right)
    same = _same([one.strip() for one in ours], [one.strip() for one in theirs])
    return _parts(ours, {x for x, _ in same}), _parts(theirs, {y for _, y in same})


def _parts(words: Sequence[str], same: set[int]) -> list[Part]:
    parts = []
    for differs, run in groupby(range(len(words)), key=lambda place: place not in same):
        text = "".join(words[place] for place in run)
        # the space behind what differs does not
        marked = text.rstrip() if differs else ""
        parts += [Part(marked, differs=True), Part(text[len(marked) :], differs=False)]
    return [part for part in parts if part.text]


def _same(ours: Sequence[str], theirs: Sequence[str]) -> list[tuple[int, int]]:
    """Return the places of the words that both have, in their order."""
    begin = _length_in_common(zip(ours, theirs, strict=False))
    end = _length_in_common(zip(reversed(ours[begin:]), reversed(theirs[begin:]), strict=False))
    between = _between(ours[begin : len(ours) - end], theirs[begin : len(theirs) - end])
    return [
        *((place, place) for place in range(begin)),
        *((begin + x, begin + y) for x, y in between),
        *((len(ours) - back, len(theirs) - back) for back in range(1, end + 1)),
    ]


def _length_in_common(pairs: Iterable[tuple[str, str]]) -> int:
    count = 0
    for one, other in pairs:
        if one != other:
            break
        count += 1
    return count


def _between(ours: Sequence[str], theirs: Sequence[str]) -> list[tuple[int, int]]:
    """Return the places of a longest common subsequence; none if it takes too long to find."""
    # how far one gets on each diagonal x - y with so many edits, for each number of edits
    trail: list[list[int]] = []
    steps = 0
    for edits in range(len(ours) + len(theirs) + 1):
        reached: list[int] = []
        for diagonal in range(-edits, edits + 1, 2):
            x = _start(trail, edits, diagonal)
            y, began = x - diagonal, x
            while x < len(ours) and y < len(theirs) and ours[x] == theirs[y]:
                x, y = x + 1, y + 1
            reached.append(x)
            steps += 1 + x - began
            if x >= len(ours) and y >= len(theirs):
                return list(_walked(trail, edits, x, y))
        if steps > MAX_STEPS:
            break
        trail.append(reached)
    return []


def _start(trail: Sequence[list[int]], edits: int, diagonal: int) -> int:
    """Return how far one gets on a diagonal with the last of the edits: a word more, or less."""
    if edits == 0:
        return 0
    before = trail[edits - 1]
    place = (diagonal + edits) // 2
    with_more = before[place] if place < edits else -1
    with_less = before[place - 1] + 1 if place > 0 else -1
    return max(with_more, with_less)


def _walked(trail: Sequence[list[int]], edits: int, x: int, y: int) -> Iterator[tuple[int, int]]:
    """Yield the places of equal words on the way that led to the end, from there."""
    for left in range(edits, -1, -1):
        began = _start(trail, left, x - y)
        for back in range(1, x - began + 1):
            yield x - back, y - back
        y -= x - began
        x = began
        if left:
            place = (x - y + left) // 2
            is_with_less = place == left or (place > 0 and trail[left - 1][place - 1] + 1 == x)
            x, y = (x - 1, y) if is_with_less else (x, y - 1)
