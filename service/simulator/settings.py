"""Everything about the simulator that a flag sets and the control endpoint may change."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import click


class _Seconds(click.ParamType[tuple[float, ...]]):
    """Waits in seconds: `1,5,30` on the command line, a list of numbers in JSON."""

    name = "seconds,…"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        parts = value.split(",") if isinstance(value, str) else value
        if isinstance(parts, (list, tuple)):
            try:
                waits = tuple(float(part) for part in parts if part != "")
            except (TypeError, ValueError):
                waits = (-1.0,)
            if all(wait >= 0 for wait in waits):
                return waits
        return self.fail(f"{value!r} is no list of seconds", param, ctx)


def _setting(default: object, kind: click.ParamType[Any], purpose: str) -> Any:  # noqa: ANN401 - dataclass fields are typed by their annotation
    return field(default=default, metadata={"kind": kind, "purpose": purpose})


_SECONDS = click.FloatRange(min=0)


@dataclass(frozen=True)
class Settings:
    """One consistent set of settings; each task keeps those it was accepted under."""

    api_key: str = _setting("simulator-key", click.STRING, "The only key that is let in.")
    min_seconds: float = _setting(0.2, _SECONDS, "Shortest time a task takes.")
    max_seconds: float = _setting(1.5, _SECONDS, "Longest time a task takes.")
    max_active: int = _setting(24, click.IntRange(min=0), "Tasks under way before 429.")
    retry_after_seconds: int = _setting(1, click.IntRange(min=0), "Retry-After of that 429.")
    starting_credits: float = _setting(1_000_000.0, click.FLOAT, "Balance of an empty ledger.")
    max_drawn_pixels: int = _setting(
        4 * 1024 * 1024, click.IntRange(min=1), "Images are drawn no larger than this area."
    )
    cost_noise: bool = _setting(
        False,
        click.BOOL,
        "Tell costs off by a binary hair, as recorded: 7.000000000000001.",
    )
    image_bytes: int = _setting(0, click.IntRange(min=0), "Pad images to about this size.")
    result_lifetime_seconds: float = _setting(600.0, _SECONDS, "Life of an image's URL.")
    public_url: str = _setting("", click.STRING, "Base of the URLs given out; default: its own.")
    webhook_answer: str = _setting(
        "without",
        click.Choice(["with-polling-url", "without"]),
        "Whether the answer to a submission with a webhook_url has a polling_url.",
    )
    webhook_retry_seconds: tuple[float, ...] = _setting(
        (1.0, 5.0, 30.0), _Seconds(), "Waits before a failed webhook is called again."
    )
    proofs: str = _setting(
        "both",
        click.Choice(["both", "secret", "signature"]),
        "X-Webhook-Secret, X-BFL-Signature, or both.",
    )
    vocabulary: str = _setting(
        "new",
        click.Choice(["new", "old"]),
        "Webhook words: id and Ready, or task_id and SUCCESS as before 2026-02-17.",
    )

    def changed(self, changes: Mapping[str, object]) -> Self:
        """Return a copy with some settings replaced, each checked as its flag would be.

        Raises:
            ValueError: A name is unknown or a value is out of its range.
        """
        kinds = {each.name: each.metadata["kind"] for each in fields(self)}
        if unknown := sorted(set(changes) - set(kinds)):
            raise ValueError(f"no such setting: {', '.join(unknown)}")
        values = {}
        for name, value in changes.items():
            try:
                values[name] = kinds[name].convert(value, None, None)
            except click.BadParameter as problem:
                raise ValueError(f"{name}: {problem.message}") from problem
        settings = replace(self, **values)
        if settings.min_seconds > settings.max_seconds:
            raise ValueError("min_seconds is above max_seconds")
        return settings


def flags() -> list[click.Parameter]:
    """Make one command-line option of each setting."""
    return [
        click.Option(
            [f"--{each.name.replace('_', '-')}"],
            default=each.default,
            type=each.metadata["kind"],
            help=each.metadata["purpose"],
            show_default=True,
        )
        for each in fields(Settings)
    ]
