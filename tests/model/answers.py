"""What upstream and the bucket say, for each case that the model tells apart."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from factories import ACCEPTED, READY
from model.world import At, Heard, Kept

from service.errors import FluxUnavailable
from service.pictures import Picture
from service.states import ErrorCode
from service.steps.store.bring import Lost, Outcome, Stored
from service.upstream import Ended, InProgress, NotSent, Refused, Result, SubmitOutcome, Unknown

ANSWERS: Final[Mapping[str, SubmitOutcome]] = {
    At.ACCEPTED: ACCEPTED,
    At.NOT_SENT: NotSent("no route"),
    At.REFUSED: Refused(429, "full"),
    At.REJECTED: Refused(422, "width is odd"),
    At.LOST: Unknown("reset"),
    At.SERVER_ERROR: Unknown("answered 503", 503),
}
RESULTS: Final[Mapping[str, Result | FluxUnavailable]] = {
    Heard.READY: READY,
    Heard.ENDED: Ended(ErrorCode.CONTENT_MODERATED, "withheld"),
    Heard.OVERDUE: InProgress("Pending"),
}
#: What comes of a question that brings nothing: before the deadline, after it, long after it.
IN_VAIN: Final[Mapping[str, Result | FluxUnavailable]] = {
    "": InProgress("Pending"),
    Heard.UNANSWERED: FluxUnavailable("answered 503"),
    Heard.HOPELESS: FluxUnavailable("answered 503"),
}
WORDS: Final[Mapping[str, Mapping[str, Any]]] = {
    Heard.READY: {"status": "Ready", "result": {"sample": READY.url}},
    Heard.ENDED: {"status": "Content Moderated"},
    "": {"status": "Pending", "progress": 0.5},
}
KEPT: Final[Mapping[str, Outcome]] = {
    Kept.STORED: Stored("key.png", "00" * 32, 8, Picture("image/png", "png", 1, 1)),
    Kept.GONE: Lost("the URL is dead"),
}


@dataclass
class Upstream:
    """Says what it was told to say, and counts the POSTs that the fence let pass."""

    answer: SubmitOutcome = field(default_factory=lambda: NotSent("nobody was told"))
    heard: Result | FluxUnavailable = field(default_factory=lambda: InProgress("Pending"))
    posts: int = 0

    def submit(
        self,
        _provider: str,
        _path: str,
        _body: Mapping[str, Any],
        before_send: Callable[[], None],
        *,
        server: str | None,
    ) -> SubmitOutcome:
        """Take the POST."""
        assert server is None
        if not isinstance(self.answer, NotSent):
            before_send()
            self.posts += 1
        return self.answer

    def result(self, _provider: str, _task_id: str, _polling_url: str | None) -> Result:
        """Answer a question, or do not."""
        if isinstance(self.heard, FluxUnavailable):
            raise self.heard
        return self.heard
