"""The stages on a task's way and the faults of each; a new fault is one more function here.

A function takes the value that its stage is about and returns what the simulator goes on with.
Its name is the fault's name, its keyword parameters are the rule's `args`.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from service.simulator.faults import Stage
from service.simulator.results import Call, Image, Outcome, in_old_words
from service.simulator.settings import Settings
from service.simulator.wire import Ending, Reply, detail, json_reply

_SAMPLE_CALL = Call({"id": "", "status": "Ready", "result": {}}, secret=None)

SETTINGS = Stage("submit-settings", Settings())
BEFORE_ACCEPT = Stage[Reply | None]("submit-before-accept", None)
AFTER_ACCEPT = Stage("submit-after-accept", json_reply(200, {}))
UNDER_WAY = Stage("under-way", Outcome("Pending"))
RESULT = Stage("result", Outcome())
BODY = Stage[Mapping[str, Any]]("body", {"id": "", "status": "Ready", "result": {}})
IMAGE = Stage("image", Image(b""))
WEBHOOK = Stage[tuple[Call, ...]]("webhook", (_SAMPLE_CALL,))
DOWNLOAD = Stage("download", Reply(200))


@SETTINGS.fault
def settings(value: Settings, /, **changes: Any) -> Settings:  # noqa: ANN401 - any setting
    """Let other settings hold for this one task: its speed, image size, URL's life, proofs."""
    return value.changed(changes)


@BEFORE_ACCEPT.fault
def refuse(_: Reply | None, *, status: int = 500, retry_after: int = 0) -> Reply:
    """Answer with an error; nothing is accepted. `retry_after` is in seconds, 0 is no header."""
    return _error(status, retry_after)


@AFTER_ACCEPT.fault
def accept_then_reset(reply: Reply) -> Reply:
    """Accept, then reset the connection instead of answering."""
    return replace(reply, silent=True, ending=Ending.RESET)


@AFTER_ACCEPT.fault
def accept_then_hang(reply: Reply, *, seconds: float = 120.0) -> Reply:
    """Accept, then say nothing for so long, and close the connection."""
    return replace(reply, silent=True, hold_seconds=seconds, ending=Ending.CLOSE)


@AFTER_ACCEPT.fault
def accept_truncate(reply: Reply, *, share: float = 0.5) -> Reply:
    """Accept, but cut the answer's body short of its Content-Length."""
    return replace(reply, body_share=share, ending=Ending.CLOSE)


@AFTER_ACCEPT.fault
def accept_bad_json(reply: Reply) -> Reply:
    """Accept, but answer 200 with a whole body that is no JSON."""
    return replace(reply, body=reply.body[:-1] + b",")


@AFTER_ACCEPT.fault
def accept_no_id(reply: Reply) -> Reply:
    """Accept, but answer 200 with JSON that names no task."""
    return replace(reply, body=b'{"status": "Pending"}')


@AFTER_ACCEPT.fault
def accept_then_status(_: Reply, *, status: int = 500, retry_after: int = 0) -> Reply:
    """Accept, but answer with an error."""
    return _error(status, retry_after)


@AFTER_ACCEPT.fault
def webhook_first(reply: Reply) -> Reply:
    """Finish the task at once and answer only after its webhook was called."""
    return replace(reply, after_webhook=True)


@AFTER_ACCEPT.fault
def foreign_polling_url(
    reply: Reply, *, url: str = "http://127.0.0.1:9/v1/get_result?id=x"
) -> Reply:
    """Answer with a polling_url that leads elsewhere."""
    return replace(reply, body=json.dumps({**json.loads(reply.body), "polling_url": url}).encode())


@UNDER_WAY.fault
def word(_: Outcome, *, status: str = "Generating", progress: float = 0.5) -> Outcome:
    """Say another word than `Pending` while the task is under way, and how far it is."""
    return Outcome(status, progress=progress)


@RESULT.fault
def moderate(_: Outcome, *, what: str = "content", reasons: list[str] = ["Violence"]) -> Outcome:  # noqa: B006 - never changed
    """End the task as `Content Moderated` or, for `what="request"`, `Request Moderated`."""
    statuses = {"content": "Content Moderated", "request": "Request Moderated"}
    if what not in statuses:
        raise ValueError("what is content or request")
    return Outcome(statuses[what], {"Moderation Reasons": reasons})


@RESULT.fault
def error(_: Outcome) -> Outcome:
    """End the task as `Error`."""
    return Outcome("Error")


@BODY.fault
def extra_fields(
    body: Mapping[str, Any],
    *,
    outside: dict[str, Any] = {"unheard": {"of": [1]}},  # noqa: B006 - never changed
    inside: dict[str, Any] = {"unheard": {"of": [2]}},  # noqa: B006 - never changed
) -> Mapping[str, Any]:
    """Put further fields into the final body, and into its `result` if there is one."""
    result = body["result"] and {**body["result"], **inside}
    return {**body, "result": result, **outside}


@IMAGE.fault
def expire_early(image: Image, *, seconds: float = 0.0) -> Image:
    """Let the URL die so long after the task is ready, whatever the URL says."""
    return replace(image, lifetime_seconds=seconds)


@WEBHOOK.fault
def lose(_: tuple[Call, ...]) -> tuple[Call, ...]:
    """Call no webhook."""
    return ()


@WEBHOOK.fault
def double(calls: tuple[Call, ...], *, times: int = 2) -> tuple[Call, ...]:
    """Call the webhook so many times, one after the other."""
    return calls * times


@WEBHOOK.fault
def late(calls: tuple[Call, ...], *, seconds: float = 5.0) -> tuple[Call, ...]:
    """Call the webhook so much later."""
    return *(replace(call, delay_seconds=seconds) for call in calls[:1]), *calls[1:]


@WEBHOOK.fault
def forge(
    calls: tuple[Call, ...],
    *,
    secret: str = "forged",  # noqa: S107 - wrong on purpose
    sample: str = "http://127.0.0.1:9/forged.jpeg",
) -> tuple[Call, ...]:
    """Before the right webhook, call one with wrong proofs and another image's URL."""
    forged = (
        replace(
            call,
            payload={**call.payload, "status": "Ready", "result": {"sample": sample}},
            secret=secret,
            retried=False,
        )
        for call in calls[:1]
    )
    return *forged, *calls


@WEBHOOK.fault
def replay(calls: tuple[Call, ...]) -> tuple[Call, ...]:
    """Before the right webhook, call one with the words and proofs of another task's."""
    foreign = (replace(call, replayed=True, retried=False) for call in calls[:1])
    return *foreign, *calls


@WEBHOOK.fault
def old_words(calls: tuple[Call, ...]) -> tuple[Call, ...]:
    """Say `task_id` and `SUCCESS`, as upstream did before 2026-02-17."""
    return tuple(replace(call, payload=in_old_words(call.payload)) for call in calls)


@WEBHOOK.fault
def progress(calls: tuple[Call, ...], *, share: float = 0.5) -> tuple[Call, ...]:
    """Before the final webhook, call one that says the task is under way."""
    news = {"status": "Pending", "result": None, "details": None, "progress": share}
    first = (replace(c, payload={**c.payload, **news}, retried=False) for c in calls[:1])
    return *first, *calls


@DOWNLOAD.fault
def truncate(reply: Reply, *, share: float = 0.5) -> Reply:
    """Cut the image short of its Content-Length."""
    return replace(reply, body_share=share, ending=Ending.CLOSE)


@DOWNLOAD.fault
def wrong_type(reply: Reply, *, content_type: str = "text/html") -> Reply:
    """Answer 200 with a page instead of the image."""
    page = b"<!DOCTYPE html><title>Welcome</title><p>Nothing to see here."
    return Reply(reply.status, page, {"Content-Type": content_type})


@DOWNLOAD.fault
def slow(reply: Reply, *, bytes_per_second: int = 2000) -> Reply:
    """Send the image at this pace."""
    return replace(reply, bytes_per_second=bytes_per_second)


@DOWNLOAD.fault
def status(_: Reply, *, status: int = 503, retry_after: int = 0) -> Reply:
    """Answer the download with an error."""
    return _error(status, retry_after)


def _error(code: int, retry_after: int) -> Reply:
    problems = {
        402: "Insufficient credits",
        403: "Not authenticated - Invalid Authentication",
        429: "Too many active tasks",
    }
    headers = {"Retry_After": str(retry_after)} if retry_after else {}
    return detail(code, problems.get(code, "Internal Server Error"), **headers)
