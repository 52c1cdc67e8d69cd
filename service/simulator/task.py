"""One task: what was submitted, what it costs, what is drawn, and what is said of it."""

import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from service.simulator.catalogue import MODELS
from service.simulator.drawing import Drawing, draw
from service.simulator.faults import Subject
from service.simulator.forms import Form
from service.simulator.model import Charge, Model
from service.simulator.pictures import Picture
from service.simulator.results import Outcome
from service.simulator.settings import Settings
from service.simulator.sizes import drawable


@dataclass(frozen=True)
class Submission:
    """A submission that passed every check, and the settings that hold for it."""

    form: Form
    subject: Subject
    settings: Settings
    body: Mapping[str, Any]
    pictures: Mapping[str, Picture]


@dataclass
class Task:
    """One accepted submission. `final`, its get_result body, is the last thing to be set."""

    subject: Subject
    settings: Settings
    charge: Charge
    drawing: Drawing
    revised_prompt: str
    webhook_url: str | None
    webhook_secret: str | None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started_at: float = field(default_factory=time.time)
    ended_at: float = 0
    dies_at: float = float("inf")
    sample_url: str = ""
    altered_image: bytes | None = None
    final: Mapping[str, Any] | None = None
    webhook_tried: threading.Event = field(default_factory=threading.Event)

    @property
    def model(self) -> Model:
        """The model that draws it."""
        return MODELS[self.subject.model]

    def image(self) -> bytes:
        """Return the file behind the sample URL."""
        return draw(self.drawing) if self.altered_image is None else self.altered_image

    def body(self, outcome: Outcome) -> dict[str, object]:
        """Return the get_result body for an outcome."""
        return {
            "id": self.id,
            "status": outcome.status,
            "result": self._result() if outcome.status == "Ready" else None,
            "progress": outcome.progress,
            "details": outcome.details,
            "preview": None,
        }

    def _result(self) -> dict[str, object]:
        result = {
            "sample": self.sample_url,
            "prompt": self.revised_prompt,
            "seed": self.drawing.seed,
            "start_time": self.started_at,
        }
        if self.model.tells_times:
            took_seconds = self.ended_at - self.started_at
            result |= {"end_time": self.ended_at, "duration": took_seconds}
        return result


def new_task(submission: Submission, random_seed: int) -> Task:
    """Make the task of a submission; `random_seed` counts where none was given.

    It keeps nothing of the images that were sent, for tasks are many and images large.
    """
    subject, settings, body = submission.subject, submission.settings, submission.body
    model = MODELS[subject.model]
    inputs = [picture.size for picture in submission.pictures.values()]
    size = model.size(body, inputs)
    drawn = drawable(size, settings.max_drawn_pixels)
    drawing = Drawing(
        subject.prompt,
        drawn.width,
        drawn.height,
        body.get("output_format") or model.output_format,
        random_seed if body.get("seed") is None else body["seed"],
        settings.image_bytes,
    )
    return Task(
        subject,
        settings,
        model.charge(size, inputs),
        drawing,
        model.revised(subject.prompt, body),
        body.get("webhook_url"),
        body.get("webhook_secret"),
    )
