"""Tasks from acceptance to their end: slots, time, image, webhook."""

import hashlib
import random
import secrets
import threading
import time
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from service.simulator import misbehaviour
from service.simulator.catalogue import MODELS, Charge, charge, size_of
from service.simulator.delivery import SignedUrls
from service.simulator.drawing import Drawing, draw
from service.simulator.faults import Rules, Subject
from service.simulator.ledger import Ledger, recordable
from service.simulator.results import Call, Image, Outcome, in_old_words
from service.simulator.settings import Settings
from service.simulator.timetable import Timetable
from service.simulator.webhooks import Target, Webhooks

_DRAWING_THREADS = 2
_KEPT_AFTER_EXPIRY_SECONDS = 60
_MOST_FINISHED_TASKS = 50_000
_PENDING = Outcome("Pending")


@dataclass
class Task:
    """One accepted submission. `outcome` is the last thing to change when it ends."""

    subject: Subject
    settings: Settings
    charge: Charge
    drawing: Drawing
    webhook_url: str | None
    webhook_secret: str | None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started_at: float = field(default_factory=time.time)
    ended_at: float = 0
    dies_at: float = float("inf")
    sample_url: str = ""
    altered_image: bytes | None = None
    outcome: Outcome = _PENDING
    webhook_tried: threading.Event = field(default_factory=threading.Event)

    def image(self) -> bytes:
        """Return the file behind the sample URL."""
        return draw(self.drawing) if self.altered_image is None else self.altered_image

    def result(self, outcome: Outcome) -> dict[str, object]:
        """Return the get_result body; times are epoch seconds."""
        result = None
        if outcome.status == "Ready":
            result = {
                "sample": self.sample_url,
                "prompt": self.subject.prompt,
                "seed": self.drawing.seed,
                "start_time": self.started_at,
                "end_time": self.ended_at,
                "duration": self.ended_at - self.started_at,
            }
        return {
            "id": self.id,
            "status": outcome.status,
            "result": result,
            "progress": None,
            "details": outcome.details,
            "preview": None,
        }


class TaskTable:
    """The tasks under way, at most `max_active`, and those that ended not long ago."""

    def __init__(self, ledger: Ledger, rules: Rules, chance: random.Random) -> None:
        self._ledger = ledger
        self._rules = rules
        self._chance = chance
        self._webhooks = Webhooks(ledger)
        self._timetable = Timetable("draw", _DRAWING_THREADS)
        self._lock = threading.Lock()
        self._tasks: dict[str, Task] = {}
        self._by_file: dict[str, Task] = {}
        self._ended: deque[Task] = deque()
        self.urls = SignedUrls()
        self.active = 0
        self.max_active_seen = 0

    def accept(
        self, settings: Settings, subject: Subject, body: Mapping[str, object]
    ) -> Task | None:
        """Take a slot and put the acceptance on the disk; None if all slots are taken.

        The body must have passed its check. The task does not run until `start`.
        """
        task = self._new(settings, subject, body)
        with self._lock:
            if self.active >= settings.max_active:
                return None
            self.active += 1
            active = self.active
            self.max_active_seen = max(self.max_active_seen, active)
            self._tasks[task.id] = task
        self._ledger.append_durably(
            "accepted",
            task_id=task.id,
            model=subject.model,
            request=recordable(body),
            cost=task.charge.cost,
            active=active,
        )
        return task

    def start(self, task: Task, *, at_once: bool) -> None:
        """Let the task run: for a time within its settings' bounds, or for none."""
        seconds = self._chance.uniform(task.settings.min_seconds, task.settings.max_seconds)
        self._timetable.after(0 if at_once else seconds, partial(self._end, task))

    def find(self, task_id: str) -> Task | None:
        """Return a task by its id."""
        return self._tasks.get(task_id)

    def find_file(self, path: str) -> Task | None:
        """Return the task whose image is served under this path."""
        return self._by_file.get(path)

    def _new(self, settings: Settings, subject: Subject, body: Mapping[str, object]) -> Task:
        model = MODELS[subject.model]
        width, height = size_of(model, body)
        seed, secret, url = (body.get(name) for name in ("seed", "webhook_secret", "webhook_url"))
        drawing = Drawing(
            subject.prompt,
            width,
            height,
            str(body.get("output_format") or model.output_format),
            seed if isinstance(seed, int) else self._chance.randrange(2**32),
            settings.image_bytes,
        )
        return Task(
            subject,
            settings,
            charge(model, body),
            drawing,
            url if isinstance(url, str) else None,
            secret if isinstance(secret, str) else None,
        )

    def _end(self, task: Task) -> None:
        try:
            outcome = self._rules.apply(misbehaviour.RESULT, Outcome(), task.subject)
            task.ended_at = time.time()
            if outcome.status == "Ready":
                self._publish(task)
            else:
                kind = "error" if outcome.details is None else "moderated"
                self._ledger.append(kind, task_id=task.id, status=outcome.status)
            task.outcome = outcome
        finally:
            self._free_slot(task)
        self._call_webhook(task)

    def _publish(self, task: Task) -> None:
        drawn = draw(task.drawing)
        image = self._rules.apply(misbehaviour.IMAGE, Image(drawn), task.subject)
        if image.data != drawn:
            task.altered_image = image.data
        path = f"/delivery/{secrets.token_hex(16)}/sample.{task.drawing.output_format}"
        lifetime_seconds = task.settings.result_lifetime_seconds
        task.dies_at = task.ended_at + image.lifetime_seconds
        task.sample_url = self.urls.make(
            task.settings.public_url, path, task.ended_at + lifetime_seconds
        )
        self._by_file[path] = task
        forget = partial(self._forget_file, path)
        self._timetable.after(lifetime_seconds + _KEPT_AFTER_EXPIRY_SECONDS, forget)
        self._ledger.append(
            "ready",
            task_id=task.id,
            sha256=hashlib.sha256(image.data).hexdigest(),
            bytes=len(image.data),
        )

    def _forget_file(self, path: str) -> None:
        self._by_file.pop(path).altered_image = None

    def _free_slot(self, task: Task) -> None:
        with self._lock:
            self.active -= 1
            self._ended.append(task)
            if len(self._ended) > _MOST_FINISHED_TASKS:
                del self._tasks[self._ended.popleft().id]

    def _call_webhook(self, task: Task) -> None:
        if task.webhook_url is None:
            task.webhook_tried.set()
            return
        payload = task.result(task.outcome)
        if task.settings.vocabulary == "old":
            payload = in_old_words(payload)
        call = Call(payload, task.webhook_secret)
        calls = self._rules.apply(misbehaviour.WEBHOOK, (call,), task.subject)
        target = Target(task.id, task.webhook_url, task.settings)
        self._webhooks.deliver(target, calls, task.webhook_tried.set)
