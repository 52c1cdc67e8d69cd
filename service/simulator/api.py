"""Upstream's API as clients see it: submit, get_result, credits and the image files."""

import hmac
import json
import threading
import time
from collections import Counter
from enum import StrEnum
from typing import Any

from service.simulator import misbehaviour
from service.simulator.catalogue import MODELS
from service.simulator.delivery import file_reply, refusal
from service.simulator.faults import Rules, Subject
from service.simulator.ledger import Ledger
from service.simulator.settings import Settings
from service.simulator.tasks import Task, TaskTable
from service.simulator.validation import check
from service.simulator.wire import Reply, Request, detail, json_reply

_LONGEST_WEBHOOK_WAIT_SECONDS = 60


class Form(StrEnum):
    """Whose form of the API a request speaks, by the prefix of its path."""

    BFL = ""
    COMETAPI = "/flux"


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

    def submit(self, request: Request, form: Form, model: str) -> Reply:
        """Accept a task, or refuse it for the reasons that upstream has."""
        with self._lock:
            self.received += 1
        answer = self._refusal(request, form, model) or self._accept(request, model)
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
        if form is Form.COMETAPI and not self._has_key(request, form):
            return _not_authenticated()
        task_id = request.query.get("id")
        if task_id is None:
            missing = {"type": "missing", "loc": ["query", "id"], "msg": "Field required"}
            return detail(422, [missing])
        task = self.tasks.find(task_id)
        if task is None:
            nothing = dict.fromkeys(("result", "progress", "details", "preview"))
            return json_reply(200, {"id": task_id, "status": "Task not found", **nothing})
        # Upstream sends Retry-After with 200 as well; it is no throttling.
        return json_reply(200, task.result(task.outcome), Retry_After="1")

    def credits(self, request: Request) -> Reply:
        """Say what is left of the balance, in credits."""
        if not self._has_key(request, Form.BFL):
            return _not_authenticated()
        left = self.settings.starting_credits - self._ledger.spent_credits
        return json_reply(200, {"credits": left})

    def download(self, request: Request) -> Reply:
        """Serve an image to whoever has its URL, as long as that lives."""
        if not self.tasks.urls.let_in(request):
            return refusal()
        task = self.tasks.find_file(request.path)
        if task is None or time.time() >= task.dies_at:
            return refusal()
        reply = file_reply(task.image(), task.drawing.output_format, task.ended_at)
        return self._rules.apply(misbehaviour.DOWNLOAD, reply, task.subject)

    def _refusal(self, request: Request, form: Form, model: str) -> Reply | None:
        if model not in MODELS:
            return detail(404, "Not Found")
        return None if self._has_key(request, form) else _not_authenticated()

    def _accept(self, request: Request, model: str) -> Reply | Task:
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
        wait = str(settings.retry_after_seconds)
        full = detail(429, "Too many active tasks", Retry_After=wait)
        return self.tasks.accept(settings, subject, body) or full

    def _acceptance(self, task: Task, form: Form) -> Reply:
        polling_url = f"{task.settings.public_url}{form}/v1/get_result?id={task.id}"
        answer: dict[str, Any] = {"id": task.id}
        if task.webhook_url is None or task.settings.webhook_answer == "with-polling-url":
            answer["polling_url"] = polling_url
        else:
            answer |= {"status": "Pending", "webhook_url": task.webhook_url}
        return json_reply(200, answer | task.charge.answer())

    def _has_key(self, request: Request, form: Form) -> bool:
        header, prefix = ("x-key", "") if form is Form.BFL else ("Authorization", "Bearer ")
        given = request.headers.get(header, "")
        return hmac.compare_digest(given.encode(), f"{prefix}{self.settings.api_key}".encode())


def _not_authenticated() -> Reply:
    return detail(403, "Not authenticated - Invalid Authentication")


def _body_problem(kind: str, message: str) -> dict[str, object]:
    return {"type": kind, "loc": ["body"], "msg": message}


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
