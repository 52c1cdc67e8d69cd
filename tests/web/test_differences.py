"""Which words differ: the fewest, and in bounded time."""

import random
import time
from collections.abc import Sequence

import pytest

from service.web.differences import Part, differences


def marked(parts: list[Part]) -> str:
    return "".join(f"[{part.text}]" if part.differs else part.text for part in parts)


@pytest.mark.parametrize(
    ("left", "right", "ours", "theirs"),
    [
        ("a fox", "a fox", "a fox", "a fox"),
        ("", "a fox", "", "[a fox]"),
        ("a red fox, in ice", "a fox in deep ice", "a [red] fox[,] in ice", "a fox in [deep] ice"),
        ("  a fox", "a fox", "  a fox", "a fox"),
        ("one  two\n", "one two", "one  two\n", "one two"),
        ("A fox", "a fox", "[A] fox", "[a] fox"),
        ("灯塔,雾", "灯塔,雪", "灯塔,[雾]", "灯塔,[雪]"),
        ("a 👩🏽\u200d🚀 b", "a 👩\u200d🚀 b", "a [👩🏽\u200d🚀] b", "a [👩\u200d🚀] b"),
        ("start x y z", "x y z end", "[start] x y z", "x y z [end]"),
    ],
)  # fmt: skip
def test_words_that_only_one_has_are_marked(left: str, right: str, ours: str, theirs: str) -> None:
    assert tuple(map(marked, differences(left, right))) == (ours, theirs)


def most_in_common(ours: Sequence[str], theirs: Sequence[str]) -> int:
    """Return the length of a longest common subsequence, by the book."""
    row = [0] * (len(theirs) + 1)
    for one in ours:
        last, row = row, [0]
        for place, other in enumerate(theirs):
            row.append(last[place] + 1 if one == other else max(last[place + 1], row[place]))
    return row[-1]


def test_as_little_as_possible_is_marked(rounds: int) -> None:
    chance = random.Random(7)  # noqa: S311 - it guards nothing
    for _ in range(2000 * rounds):
        letters = "abcd"[: chance.randint(1, 4)]
        ours, theirs = (
            [chance.choice(letters) for _ in range(chance.randint(0, 12))] for _ in range(2)
        )
        parts = differences(" ".join(ours), " ".join(theirs))
        same = ["".join(part.text for part in side if not part.differs).split() for side in parts]
        assert same[0] == same[1]
        assert len(same[0]) == most_in_common(ours, theirs)
        assert ["".join(part.text for part in side) for side in parts] == [
            " ".join(ours),
            " ".join(theirs),
        ]


def test_a_word_here_and_there_in_a_long_text_is_found() -> None:
    words = [f"word{number}" for number in range(4000)]
    changed = list(words)
    for place in range(10, 4000, 400):
        changed[place] = "other"
    ours, theirs = differences(" ".join(words), " ".join(changed))
    assert [part.text.strip() for part in theirs if part.differs] == ["other"] * 10
    assert [part.text.strip() for part in ours if part.differs] == words[10::400]


def test_hostile_texts_take_no_longer_than_others() -> None:
    chance = random.Random(7)  # noqa: S311 - it guards nothing
    noise = ["".join(chance.choices("ab,;. ", k=30_000)) for _ in range(2)]
    for left, right in (
        ("a " * 15_000, "a " * 14_000),
        ("a b " * 7500, "b b a " * 5000),
        (",;" * 15_000, ";,," * 10_000),
        ("x" * 30_000, "y" * 30_000),
        (" " * 30_000, "\n" * 29_999),
        (noise[0], noise[1]),
    ):
        began = time.process_time()
        parts = differences(left, right)
        assert time.process_time() - began < 1
        assert ["".join(part.text for part in side) for side in parts] == [left, right]
