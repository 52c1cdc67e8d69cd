"""What the gallery is asked: read from its query, and offered as chips that lead to other queries.

A chip says how many images it leads to where that costs nothing: where it is the only filter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Any

from flask import url_for
from pydantic import BeforeValidator, Field, ValidationError

from service.errors import InvalidRequest
from service.ids import Kind, public_id
from service.models import Size
from service.steps.browse import COUNTED, Found, ImageFilter
from service.steps.enqueue import field_errors
from service.web.queries import NarrowQuery, only_one

#: Fields of our forms, sent empty where nobody wrote anything.
_TYPED = frozenset({"q", "since", "before"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT = timedelta(microseconds=1)


class Recent(StrEnum):
    """Spans of days up to now."""

    TODAY = "today"
    WEEK = "7d"
    MONTH = "30d"


_RECENT = {Recent.TODAY: "Today", Recent.WEEK: "7 days", Recent.MONTH: "30 days"}
_DAYS = {Recent.TODAY: 0, Recent.WEEK: 7, Recent.MONTH: 30}
_SIZES = {
    Size.SMALL: "Small, under 1 MP",
    Size.MEDIUM: "Medium, 1 to 2 MP",
    Size.LARGE: "Large, from 2 MP",
}


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError("a day, as 2026-01-31") from None


Day = Annotated[date, BeforeValidator(_day)]


class GalleryQuery(NarrowQuery):
    """To what the gallery is narrowed."""

    date: Recent | None = None
    since: Annotated[Day | None, Field(description="From this day on, UTC.")] = None
    before: Annotated[Day | None, Field(description="Until the day before this one, UTC.")] = None


@dataclass(frozen=True, slots=True)
class Chip:
    """A link that narrows the gallery, or no longer does."""

    label: str
    href: str
    is_on: bool
    #: In words; empty where it is not known.
    count: str = ""


@dataclass(frozen=True, slots=True)
class Menu:
    """Chips of which one can be on."""

    name: str
    chips: list[Chip]


def read_gallery_query() -> GalleryQuery:
    """Return what the query says; an empty field of a form says nothing.

    Raises:
        InvalidRequest: with the names of all that is wrong.
    """
    given = {
        name: text for name in GalleryQuery.model_fields if (text := only_one(name)) is not None
    }
    said = {name: text for name, text in given.items() if text.strip() or name not in _TYPED}
    try:
        return GalleryQuery.model_validate(said)
    except ValidationError as error:
        raise InvalidRequest("The query is not valid.", field_errors(error, GalleryQuery)) from None


def arguments(asked: GalleryQuery) -> dict[str, str]:
    """Return the query that asks for the same, without the page."""
    said = asked.model_dump(mode="json", exclude_defaults=True)
    if asked.parent is not None:
        said["parent"] = public_id(Kind.IMAGE, asked.parent)
    return said


def image_filter(asked: GalleryQuery, now: datetime) -> ImageFilter:
    """Return what is asked for; a day begins in UTC."""
    after = None
    if asked.date is not None:
        after = since(now)[list(Recent).index(asked.date)]
    elif asked.since is not None:
        after = _begin(asked.since)
    return ImageFilter(
        model=asked.model,
        prompt_contains=asked.q,
        parent_id=asked.parent,
        tag=asked.tag,
        is_favourite=None if asked.favourite is None else asked.favourite == "true",
        size=asked.size,
        # an image made in the day's first moment is of that day
        created_after=None if after is None else after - _MOMENT,
        created_before=None if asked.before is None else _begin(asked.before),
    )


def since(now: datetime) -> list[datetime]:
    """Return when each of the recent spans began."""
    return [_begin((now - timedelta(days=_DAYS[span])).date()) for span in Recent]


def menus(asked: GalleryQuery, found: Found) -> list[Menu]:
    """Return the chips that narrow the gallery further."""
    said = arguments(asked)
    dates = dict(zip(_RECENT.values(), found.since, strict=True))
    return [
        _menu("Date", said, "date", {text: span.value for span, text in _RECENT.items()}, dates),
        _menu("Model", said, "model", {one: one for one in found.models}, found.models),
        _menu(
            "Size",
            said,
            "size",
            {text: size.value for size, text in _SIZES.items()},
            {text: found.sizes[size] for size, text in _SIZES.items()},
        ),
        _menu("Tag", said, "tag", {one: one for one in found.tags}, found.tags),
    ]


def favourites(asked: GalleryQuery, found: Found) -> Chip:
    """Return the chip of favourites."""
    label = "Favourites"
    return _menu(
        "", arguments(asked), "favourite", {label: "true"}, {label: found.favourites}
    ).chips[0]


def narrowed_to(asked: GalleryQuery) -> list[Chip]:
    """Return a chip for each filter that is on; its link is the gallery without it."""
    said = arguments(asked)
    words = {
        "q": f"“{said.get('q', '')}”",
        "date": _RECENT.get(asked.date, "") if asked.date else "",
        "size": _SIZES.get(asked.size, "") if asked.size else "",
        "favourite": "Favourites" if asked.favourite == "true" else "Not favourites",
        "since": f"since {said.get('since', '')}",
        "before": f"before {said.get('before', '')}",
        "parent": "made from one image",
        "tag": f"tag {said.get('tag', '')}",
    }
    return [
        Chip(words.get(name, value), _link(said, name, None), is_on=True)
        for name, value in said.items()
    ]


def _menu(
    title: str,
    said: Mapping[str, str],
    name: str,
    values: Mapping[str, str],
    counts: Mapping[str, int],
) -> Menu:
    # a number of all images would mislead where only some are shown
    is_alone = set(said) <= {name}
    return Menu(
        title,
        [
            Chip(
                label,
                _link(said, name, None if said.get(name) == value else value),
                is_on=said.get(name) == value,
                count=_words(counts[label]) if is_alone else "",
            )
            for label, value in values.items()
        ],
    )


def _link(said: Mapping[str, str], name: str, value: str | None) -> str:
    left: dict[str, Any] = {key: one for key, one in said.items() if key != name}
    if name == "date":
        left.pop("since", None)
    if value is not None:
        left[name] = value
    return url_for("gallery.images", **left)


def _words(count: int) -> str:
    return f"{COUNTED:,}+" if count > COUNTED else str(count)


def _begin(day: date) -> datetime:
    return max(_EPOCH + _MOMENT, datetime.combine(day, time(), UTC))
