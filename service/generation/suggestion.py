"""Guesses what a caller meant by a name that we do not know."""

from collections.abc import Iterable
from difflib import get_close_matches

#: Below this likeness (0 to 1) a suggestion misleads more often than it helps.
_LIKENESS = 0.75

#: Twice our longest name. Comparing takes quadratic time, so longer ones are not tried.
_MAX_CHARACTERS = 64


def suggest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most like `name`, whatever its case, or None if none is near."""
    if len(name) > _MAX_CHARACTERS:
        return None
    by_lower_case = {candidate.lower(): candidate for candidate in known}
    matches = get_close_matches(name.lower(), by_lower_case, n=1, cutoff=_LIKENESS)
    return by_lower_case[matches[0]] if matches else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return '; did you mean "…"?' to end a message with, or an empty string."""
    nearest = suggest(name, known)
    return f'; did you mean "{nearest}"?' if nearest else ""
