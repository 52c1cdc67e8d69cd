"""Rhythm: when to ask about a job, learned from how the latest results were heard.

The first question about a job comes when webhooks of its provider and model have usually arrived.
While webhooks are proven missing, jobs are asked about as if none were expected, until a webhook is
first again. The settings are what holds while nothing is known, and bound what is learned.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from sqlalchemy import and_, extract, select

from service.constants import constant
from service.database import Database
from service.logs import get_log
from service.models import Attempt, HeardBy, jobs

log = get_log(__name__)

#: Submissions, newest first, that are looked at. The slots of an account make some of them a second
#: at most, so these are the last minutes.
LATEST = 500
#: Results that it takes to say anything: how many in a row came without a webhook, or how many
#: webhooks tell when they usually arrive.
EVIDENCE = 3
#: Of the webhooks that were first, how many have come by their usual arrival.
USUAL_SHARE = 0.9
#: A question that overtakes a webhook costs a request and saves nothing, seconds.
MARGIN_SECONDS = 1.0
#: Without webhooks every job is asked about: soon, and often.
POLL_ONLY_SECONDS = 2.0

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Learned:
    """What the latest results say of webhooks."""

    #: Seconds from the submission to the webhook, by provider and model.
    usual_arrival_seconds: Mapping[Key, float] = field(default_factory=dict)
    #: Providers whose latest results were all heard by asking.
    missing: frozenset[str] = frozenset()


@dataclass
class Rhythm:
    """Answers from memory, inside of transactions too; `learn` reads the tables now and then."""

    database: Database
    #: Whether a webhook is expected for jobs of a model.
    is_called_back: Callable[[str], bool]
    #: First question while nothing is known, and further ones, seconds.
    first_seconds: float
    further_seconds: float
    learned: Learned = Learned()

    def poll_after_seconds(self, provider: str, model: str) -> float:
        """Return when to ask first, seconds after the submission.

        Never later than the second question would come by the settings: a webhook that is lost
        delays a result by no more than that, however long its model usually takes.
        """
        if self._is_poll_only(provider, model):
            return min(self.first_seconds, POLL_ONLY_SECONDS)
        usual = self.learned.usual_arrival_seconds.get((provider, model))
        if usual is None:
            return self.first_seconds
        return min(usual + MARGIN_SECONDS, self.first_seconds + self.further_seconds)

    def interval_seconds(self, provider: str, model: str) -> float:
        """Return when to ask again, seconds after the question before."""
        if self._is_poll_only(provider, model):
            return min(self.further_seconds, POLL_ONLY_SECONDS)
        return self.further_seconds

    def learn(self) -> None:
        """Read how the latest results were heard; costs the same however many jobs there are.

        Raises:
            DatabaseUnavailable: what was learned before goes on to hold.
        """
        before = self.learned
        self.learned = self._read(before)
        for provider in sorted(self.learned.missing - before.missing):
            log.warning("webhooks_missing", provider=provider, results=EVIDENCE)
        for provider in sorted(before.missing - self.learned.missing):
            log.info("webhooks_back", provider=provider)

    def _is_poll_only(self, provider: str, model: str) -> bool:
        return provider in self.learned.missing or not self.is_called_back(model)

    def _read(self, before: Learned) -> Learned:
        # attempts, not jobs: of those the newest may all be waiting in the queue
        latest = (
            select(Attempt.job_id, Attempt.number)
            .order_by(Attempt.id.desc())
            .limit(constant(LATEST))
            .cte()
        )
        mine = and_(jobs.c.id == latest.c.job_id, jobs.c.attempt_count == latest.c.number)
        waited = extract("epoch", jobs.c.generated_at - jobs.c.submitted_at)
        heard = (
            select(jobs.c.provider, jobs.c.model, jobs.c.heard_by, waited.label("seconds"))
            .select_from(latest)
            .join(jobs, mine)
            .where(jobs.c.heard_by.is_not(None))
            .order_by(jobs.c.generated_at.desc())
        )
        with self.database.transaction() as tx:
            rows = [row for row in tx.rows(heard) if self.is_called_back(row.model)]
        # whoever has had no results of late is judged as before
        return Learned(
            {**before.usual_arrival_seconds, **_usual_arrivals(rows)},
            _missing(rows, before.missing),
        )


def _usual_arrivals(rows: Sequence[Any]) -> Mapping[Key, float]:
    waits: dict[Key, list[float]] = defaultdict(list)
    for row in rows:
        # a webhook that proves a lost submission finds no time of it
        if row.heard_by is HeardBy.WEBHOOK and row.seconds is not None:
            waits[row.provider, row.model].append(max(0.0, float(row.seconds)))
    return {
        key: sorted(found)[ceil(USUAL_SHARE * len(found)) - 1]
        for key, found in waits.items()
        if len(found) >= EVIDENCE
    }


def _missing(rows: Sequence[Any], before: frozenset[str]) -> frozenset[str]:
    latest: dict[str, list[HeardBy]] = defaultdict(list)
    for row in rows:
        latest[row.provider].append(row.heard_by)
    judged = {name: heard for name, heard in latest.items() if len(heard) >= EVIDENCE}
    silent = (name for name, heard in judged.items() if HeardBy.WEBHOOK not in heard[:EVIDENCE])
    return frozenset(silent) | (before - judged.keys())
