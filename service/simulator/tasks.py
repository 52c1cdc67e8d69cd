"""Tasks from acceptance to their end: slots, time, image, webhook."""

import hashlib
import random
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping
from functools import partial

from service.simulator import misbehaviour
from service.simulator.delivery import SignedUrls
from service.simulator.drawing import draw
from service.simulator.faults import Rules
from service.simulator.ledger import Ledger, recordable
from service.simulator.results import Call, Image, Outcome, in_old_words
from service.simulator.task import Submission, Task, new_task
from service.simulator.timetable import Timetable
from service.simulator.webhooks import Target, Webhooks

_DRAWING_THREADS = 2
_KEPT_AFTER_EXPIRY_SECONDS = 60
_MOST_FINISHED_TASKS = 50_000


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
        self._active_by_model: Counter[str] = Counter()
        self.max_active_seen_by_model: Counter[str] = Counter()

    def accept(self, submission: Submission) -> Task | None:
        """Take a slot and put the acceptance on the disk; None if all slots are taken.

        Some models have fewer slots of their own. The task does not run until `start`.
        """
        task = new_task(submission, self._chance.randrange(2**32))
        with self._lock:
            if not self._has_slot(task):
                return None
            active = self._take_slot(task)
            self._tasks[task.id] = task
        self._ledger.append_durably(
            "accepted",
            task_id=task.id,
            form=submission.form.name.lower(),
            model=submission.subject.model,
            request=recordable(submission.body),
            inputs={name: picture.facts() for name, picture in submission.pictures.items()},
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

    def _has_slot(self, task: Task) -> bool:
        own = task.model.max_active
        has_own = own is None or self._active_by_model[task.subject.model] < own
        return has_own and self.active < task.settings.max_active

    def _take_slot(self, task: Task) -> int:
        model, most = task.subject.model, self.max_active_seen_by_model
        self.active += 1
        self.max_active_seen = max(self.max_active_seen, self.active)
        self._active_by_model[model] += 1
        most[model] = max(most[model], self._active_by_model[model])
        return self.active

    def _free_slot(self, task: Task) -> None:
        with self._lock:
            self.active -= 1
            self._active_by_model[task.subject.model] -= 1
            self._ended.append(task)
            if len(self._ended) > _MOST_FINISHED_TASKS:
                del self._tasks[self._ended.popleft().id]

    def _end(self, task: Task) -> None:
        try:
            outcome = self._rules.apply(misbehaviour.RESULT, Outcome(), task.subject)
            task.ended_at = time.time()
            if outcome.status == "Ready":
                self._publish(task)
            else:
                kind = "error" if outcome.details is None else "moderated"
                self._ledger.append(kind, task_id=task.id, status=outcome.status)
            body = task.body(outcome)
            final = self._rules.apply(misbehaviour.BODY, body, task.subject)
            task.final = final
        finally:
            self._free_slot(task)
        self._call_webhook(task, final)

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

    def _call_webhook(self, task: Task, payload: Mapping[str, object]) -> None:
        if task.webhook_url is None:
            task.webhook_tried.set()
            return
        if task.settings.vocabulary == "old":
            payload = in_old_words(payload)
        call = Call(payload, task.webhook_secret)
        calls = self._rules.apply(misbehaviour.WEBHOOK, (call,), task.subject)
        target = Target(task.id, task.webhook_url, task.settings)
        self._webhooks.deliver(target, calls, task.webhook_tried.set)
