"""What the charts of the overview show, and what they say."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from service.steps.survey import WINDOWS, Figures, History
from service.web.charts import Chart, Part, Point, chart
from service.web.wording import span

_HOUR_SECONDS = 3600
_DAY_SECONDS = 86_400
_CREDITS_PER_USD = 100
#: What the steps of a window are called, by its name.
_STEP_WORDS = {"24h": "hour", "7d": "6 hours", "30d": "day"}

Labelled = Sequence[tuple[str, Figures]]


def charts(history: History, window: str, lifetime_seconds: float) -> list[Chart]:
    """Return the charts of a window."""
    step_seconds = WINDOWS[window].step_seconds
    per = _STEP_WORDS[window]
    steps = [(_label(one.at, step_seconds), one) for one in history.steps]
    days = [(_label(one.at, _DAY_SECONDS), one) for one in history.days]
    return [
        _throughput(steps, per, len(steps) * step_seconds / _HOUR_SECONDS),
        _margin(steps, per, lifetime_seconds),
        _polled(steps, per),
        _spend(days),
    ]


def _throughput(steps: Labelled, per: str, hours: float) -> Chart:
    names = ("succeeded", "failed", "canceled")
    sums = {name: sum(getattr(one, name) for _, one in steps) for name in names}
    total = sum(sums.values())
    said = ", ".join(f"{count:,} {name}" for name, count in sums.items())
    points = []
    for label, one in steps:
        counts = [getattr(one, name) for name in names]
        points.append(Point(label, counts, [f"{count:,}" for count in counts]))
    return chart(
        "throughput",
        f"Jobs ended per {per}",
        f"{counted(total, 'job')} ended, {total / hours:,.1f} an hour: {said}."
        if total
        else "No job ended in this time.",
        [Part("good", "succeeded"), Part("bad", "failed"), Part("quiet", "canceled")],
        points,
    )


def _margin(steps: Labelled, per: str, lifetime_seconds: float) -> Chart:
    points = []
    for label, one in steps:
        least, mean = one.least_margin_seconds, _mean_margin_seconds([one])
        if least is None or mean is None:
            points.append(Point(label, [0, 0], ["none", "none"]))
        else:
            low = max(0.0, least)
            points.append(Point(label, [low, max(0.0, mean - low)], [_left(least), _left(mean)]))
    known = [one.least_margin_seconds for _, one in steps if one.least_margin_seconds is not None]
    mean = _mean_margin_seconds([one for _, one in steps])
    summary = "No picture was saved in this time."
    if known and mean is not None:
        summary = (
            f"When its bytes were safe, a picture's URL had {_left(mean)} to live on average, "
            f"{_left(min(known))} at the least, of {span(lifetime_seconds)}."
        )
        if min(known) < 0:
            summary += " Below zero the bytes had waited on a worker's disk."
    highest = max((sum(point.values) for point in points), default=0.0)
    return chart(
        "margin",
        f"Life left of the URL when saved, per {per}",
        summary,
        [Part("good", "least"), Part("pale", "on average")],
        points,
        top=max(lifetime_seconds, highest),
        unit=" s",
    )


def _polled(steps: Labelled, per: str) -> Chart:
    points = []
    for label, one in steps:
        share = 100 * one.polled / one.succeeded if one.succeeded else 0.0
        said = f"{one.polled:,} of {one.succeeded:,}"
        points.append(Point(label, [share], [f"{said} ({share:.1f} %)" if share else said]))
    polled = sum(one.polled for _, one in steps)
    results = sum(one.succeeded for _, one in steps)
    summary = "No picture was saved in this time."
    if results:
        summary = (
            f"{polled:,} of {counted(results, 'picture')} ({100 * polled / results:.1f} %) "
            "were found by asking, as no webhook had come."
        )
    return chart(
        "polled",
        f"Healed by asking, per {per}",
        summary,
        [Part("busy", "found by asking")],
        points,
        top=100,
        unit=" %",
    )


def _spend(days: Labelled) -> Chart:
    spent = sum((one.credits for _, one in days), Decimal(0))
    doubtful = sum((one.doubtful_credits for _, one in days), Decimal(0))
    summary = f"{money(spent)} for pictures."
    if doubtful:
        summary += f" {money(doubtful)} may have been charged for jobs that failed."
    points = []
    for label, one in days:
        amounts = [one.credits, one.doubtful_credits]
        points.append(
            Point(
                label, list(map(float, amounts)), [f"{amount.normalize():,f}" for amount in amounts]
            )
        )
    return chart(
        "spend",
        f"Spend per day, {len(days)} days",
        summary if spent or doubtful else "Nothing was spent in this time.",
        [Part("good", "for pictures"), Part("busy", "in doubt")],
        points,
        unit=" credits",
    )


def _mean_margin_seconds(spans: Sequence[Figures]) -> float | None:
    saved = sum(one.succeeded for one in spans)
    return sum(one.total_margin_seconds for one in spans) / saved if saved else None


def _left(seconds: float) -> str:
    return f"{seconds:,.0f} s"


def _label(at: datetime, step_seconds: int) -> str:
    if step_seconds == _HOUR_SECONDS:
        return f"{at:%H:%M}"
    return f"{at:%-d %b}" if step_seconds == _DAY_SECONDS else f"{at:%-d %b, %H:%M}"


def counted(number: int, noun: str) -> str:
    """Return `1 job`, `2,000 jobs`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def money(credits_: Decimal) -> str:
    """Return `1 credit ($0.01)`, `2,004.5 credits ($20.05)`."""
    noun = "credit" if credits_ == 1 else "credits"
    return f"{credits_.normalize():,f} {noun} (${credits_ / _CREDITS_PER_USD:,.2f})"
