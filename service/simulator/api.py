"""Upstream's API as clients see it: submit, get_result, credits and the image files."""

import json
import threading
import time
from collections import Counter
from typing import Any

from service.simulator import misbehaviour
from service.simulator.catalogue import MODELS
from service.simulator.delivery import file_reply, refusal
from service.simulator.faults import Rules, Subject
from service.simulator.forms import (
    Form,
    carries_key,
    has_key,
    not_authenticated,
    serves,
    unknown_model,
)
from service.simulator.ledger import Ledger
from service.simulator.results import Outcome
from service.simulator.settings import Settings
from service.simulator.task import Submission, Task
from service.simulator.tasks import TaskTable
from service.simulator.validation import check, check_images
from service.simulator.wire import Reply, Request, detail, json_reply

_LONGEST_WEBHOOK_WAIT_SECONDS = 60


class FluxApi:
    """Answers requests. Owns the settings now in force and counts what was refused."""

    def __init__(self, settings: Settings, tasks: TaskTable, rules: Rules, ledger: Ledger) -> None:
        self.settings = settings
        self.tasks = tasks
        self._rules = rules
        self._ledger = ledger
        self._lock = threading.Lock()
        self.received = 0
        self.refused: Counter[int] = Counter()
        self.keys_seen = Counter(submit=0, result=0, download=0)

    def submit(self, request: Request, form: Form, model: str) -> Reply:
        """Accept a task, or refuse it for the reasons that upstream has."""
        self._count_key("submit", request)
        with self._lock:
            self.received += 1
        answer = self._refusal(request, form, model) or self._accept(request, form, model)
        if isinstance(answer, Reply):
            with self._lock:
                self.refused[answer.status] += 1
            return answer
        reply = self._rules.apply(
            misbehaviour.AFTER_ACCEPT, self._acceptance(answer, form), answer.subject
        )
        self.tasks.start(answer, at_once=reply.after_webhook)
        if reply.after_webhook:
            answer.webhook_tried.wait(_LONGEST_WEBHOOK_WAIT_SECONDS)
        return reply

    def result(self, request: Request, form: Form) -> Reply:
        """Say how a task stands. BFL's form needs no key: the id is the secret."""
        self._count_key("result", request)
        if form is Form.COMETAPI and not has_key(request, form, self.settings.api_key):
            return not_authenticated(form)
        task_id = request.query.get("id")
        if task_id is None:
            missing = {"type": "missing", "loc": ["query", "id"], "msg": "Field required"}
            return detail(422, [missing])
        task = self.tasks.find(task_id)
        if task is None:
            nothing = dict.fromkeys(("result", "progress", "details", "preview"))
            return json_reply(200, {"id": task_id, "status": "Task not found", **nothing})
        body = task.final
        if body is None:
            pending = self._rules.apply(misbehaviour.UNDER_WAY, Outcome("Pending"), task.subject)
            body = task.body(pending)
        # Upstream sends Retry-After with 200 as well; it is no throttling.
        return json_reply(200, body, Retry_After="1")

    def credits(self, request: Request) -> Reply:
        """Say what is left of the balance, in credits."""
        if not has_key(request, Form.BFL, self.settings.api_key):
            return not_authenticated(Form.BFL)
        left = self.settings.starting_credits - self._ledger.spent_credits
        return json_reply(200, {"credits": left})

    def download(self, request: Request) -> Reply:
        """Serve an image to whoever has its URL, as long as that lives."""
        self._count_key("download", request)
        if not self.tasks.urls.let_in(request):
            return refusal()
        task = self.tasks.find_file(request.path)
        if task is None or time.time() >= task.dies_at:
            return refusal()
        reply = file_reply(task.image(), task.drawing.output_format, task.ended_at)
        return self._rules.apply(misbehaviour.DOWNLOAD, reply, task.subject)

    def _refusal(self, request: Request, form: Form, model: str) -> Reply | None:
        if not serves(form, model):
            return unknown_model(form, model)
        known = has_key(request, form, self.settings.api_key)
        return None if known else not_authenticated(form)

    def _accept(self, request: Request, form: Form, model: str) -> Reply | Task:
        try:
            body = json.loads(request.body, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            return detail(422, [_body_problem("json_invalid", "JSON decode error")])
        if not isinstance(body, dict):
            return detail(422, [_body_problem("dict_type", "Input should be an object")])
        if problems := check(MODELS[model], body):
            return detail(422, problems)
        prompt = body.get("prompt")
        subject = Subject(model, prompt if isinstance(prompt, str) else "")
        refused = self._rules.apply(misbehaviour.BEFORE_ACCEPT, None, subject)
        if refused:
            return refused
        settings = self._rules.apply(misbehaviour.SETTINGS, self.settings, subject)
        pictures, problems = check_images(MODELS[model], body)
        if problems:
            return detail(422, problems)
        wait = str(settings.retry_after_seconds)
        full = detail(429, "Too many active tasks", Retry_After=wait)
        return self.tasks.accept(Submission(form, subject, settings, body, pictures)) or full

    def _acceptance(self, task: Task, form: Form) -> Reply:
        polling_url = f"{task.settings.public_url}{form}/v1/get_result?id={task.id}"
        answer: dict[str, Any] = {"id": task.id}
        if task.webhook_url is None or task.settings.webhook_answer == "with-polling-url":
            answer["polling_url"] = polling_url
        else:
            answer |= {"status": "Pending", "webhook_url": task.webhook_url}
        return json_reply(200, answer | task.charge.answer(noisy=task.settings.cost_noise))

    def _count_key(self, path: str, request: Request) -> None:
        with self._lock:
            self.keys_seen[path] += carries_key(request)


def _body_problem(kind: str, message: str) -> dict[str, object]:
    return {"type": kind, "loc": ["body"], "msg": message}


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
