"""The sidecar that derive writes, read strictly, and the columns that it tells."""

from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field

from service.ids import Kind, read_id
from service.states import Status

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


def _uuid(kind: Kind) -> BeforeValidator:
    def read(text: object) -> UUID:
        found = read_id(kind, text) if isinstance(text, str) else None
        if found is None:
            raise ValueError("is no id")
        return found

    return BeforeValidator(read)


ImageId = Annotated[UUID, _uuid(Kind.IMAGE)]


class _Event(BaseModel):
    seq: int
    type: str
    at: AwareDatetime
    message: str
    detail: dict[str, Any]


class Sidecar(BaseModel):
    """What derive has written."""

    format: Literal["darkroom.sidecar.v1"]
    image_id: ImageId
    job_id: Annotated[UUID, _uuid(Kind.JOB)]
    project: str
    key: str
    content_type: str
    width: int
    height: int
    bytes: int
    sha256: Sha256
    seed: Decimal | None
    model: str
    input: dict[str, Any]
    parent_image_ids: list[ImageId] = []
    revised_prompt: str | None = None
    metadata: dict[str, str]
    priority: int
    idempotency_key: str | None
    request_sha256: Sha256
    callback_url: str | None
    callback_events: list[str]
    provider: str
    task_id: str | None
    attempts: int
    cost: Decimal | None
    cost_estimated: Decimal | None
    flux: dict[str, Any] | None
    created_at: AwareDatetime
    job_created_at: AwareDatetime
    start_at: AwareDatetime | None
    expires_at: AwareDatetime | None
    submitted_at: AwareDatetime | None
    generated_at: AwareDatetime | None
    completed_at: AwareDatetime
    events: Annotated[list[_Event], Field(min_length=1)]

    @property
    def extension(self) -> str:
        """The ending of the image's own key."""
        return self.key.rpartition(".")[2]

    def job_columns(self) -> dict[str, Any]:
        """Return the columns of a job that has succeeded."""
        told = self.model_dump(
            include={
                *("model", "input", "metadata", "priority", "callback_url", "callback_events"),
                *("provider", "task_id", "cost_estimated", "start_at", "expires_at"),
                "parent_image_ids",
                *("submitted_at", "generated_at", "completed_at"),
            }
        )
        return {
            **told,
            "status": Status.SUCCEEDED,
            "due_at": None,
            "tries": 0,
            "request_sha256": bytes.fromhex(self.request_sha256),
            "created_at": self.job_created_at,
            "attempt_count": self.attempts,
            "cost_actual": self.cost,
            "maybe_charged": False,
            "result": self.flux,
            "error_code": None,
            "error_message": None,
            "error_upstream_status": None,
        }

    def image_columns(self) -> dict[str, Any]:
        """Return the columns of the image but for its place."""
        told = self.model_dump(
            include={
                *("job_id", "created_at", "content_type", "width", "height", "bytes"),
                *("sha256", "seed", "model", "parent_image_ids", "revised_prompt"),
            }
        )
        return {**told, "id": self.image_id, "prompt": str(self.input.get("prompt", ""))}
