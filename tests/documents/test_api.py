"""What callers see, at its limits."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.documents import MAX_CALLBACK_BYTES, Documents, credits_text, when
from service.ids import new_id
from service.settings import OnUnconfirmed
from service.states import ErrorCode, Status
from service.steps.enqueue.body import MAX_METADATA_BYTES

DOCUMENTS = Documents(
    "https://darkroom.example", lambda _b, key, _s: f"https://s3/{key}?" + "s" * 900
)
NOW = datetime(2026, 11, 22, 12, 0, 0, 123_456, tzinfo=UTC)


def row(**more: Any) -> Any:  # noqa: ANN401 - a job's columns
    return SimpleNamespace(
        **{
            **dict.fromkeys(
                ["start_at", "expires_at", "submitted_at", "generated_at", "completed_at",
                 "task_id", "cost_estimated", "cost_actual", "error_code", "error_message",
                 "error_upstream_status", "callback_url", "batch_id", "retry_of"]
            ),
            "id": new_id(), "status": Status.FAILED, "model": "flux-2-pro", "priority": 1,
            "input": {"prompt": "x"}, "metadata": {}, "created_at": NOW, "provider": "bfl",
            "attempt_count": 1, "maybe_charged": False, "callback_events": [],
            "parent_image_ids": [], "on_unconfirmed": OnUnconfirmed.FAIL, **more,
        }
    )  # fmt: skip


def image() -> Any:  # noqa: ANN401 - an image's columns
    return SimpleNamespace(
        id=new_id(), job_id=new_id(), created_at=NOW, bucket="b" * 63, key="k" * 500,
        content_type="image/jpeg", width=1, height=1, bytes=1, sha256="0" * 64,
        seed=Decimal(7), model="flux-2-pro", prompt="x",
    )  # fmt: skip


#: Each of these is as long in JSON as a caller can make it.
LETTERS = st.sampled_from(["a", "é", "語", "🖼", '"', "\\", "\x01", "\n", "<"])


@settings(max_examples=60, deadline=None)
@given(LETTERS, LETTERS, LETTERS)
def test_a_callback_stays_under_20_kb_whatever_the_caller_wrote(
    of_prompt: str, of_metadata: str, of_error: str
) -> None:
    size = len(json.dumps(of_metadata, ensure_ascii=False).encode()) - 2
    fitting = (MAX_METADATA_BYTES - 16 * 60) // (16 * size)
    whole = row(
        input={
            "prompt": of_prompt * 32_000,
            "input_image": "A" * 1_000_000,
            **{f"input_image_{number}": of_prompt * 5000 for number in range(2, 9)},
            "width": 256,
        },
        metadata={f"{number:02}" * 20: of_metadata * fitting for number in range(16)},
        parent_image_ids=[new_id() for _ in range(10)],
        callback_url="https://example.com/" + "a" * 2063,
        callback_events=["job.succeeded", "job.failed", "job.canceled"],
        error_code=ErrorCode.UPSTREAM_ERROR,
        error_message=of_error * 600,
        error_upstream_status=500,
    )
    text = DOCUMENTS.callback(whole, [image()], "job.failed", 5)
    assert len(text.encode()) < MAX_CALLBACK_BYTES == 20_000
    said = json.loads(text)
    assert list(said) == ["type", "timestamp", "sequence", "data"]
    assert said["data"]["metadata"] == whole.metadata
    assert said["data"]["input"]["width"] == 256
    assert len(said["data"]["parent_image_ids"]) == 10
    assert said["data"]["input"]["prompt"].endswith("… (32000 characters)")
    assert list(said["data"]) == list(DOCUMENTS.job(whole, []))


def test_a_callback_with_room_cuts_nothing_that_is_not_long() -> None:
    given_input = {"prompt": "ä" * 2000, "output_format": "jpeg", "seed": 7}
    text = DOCUMENTS.callback(row(input=given_input), [], "job.failed", 1)
    assert json.loads(text)["data"]["input"] == given_input
    assert "ä" in text


def test_the_callback_and_the_api_show_one_document() -> None:
    one = row()
    said = json.loads(DOCUMENTS.callback(one, [], "job.failed", 3))
    assert said["data"] == DOCUMENTS.job(one, [])
    assert (said["type"], said["sequence"]) == ("job.failed", 3)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("4.5000", "4.5"),
        ("3.0000", "3"),
        ("100.0000", "100"),
        ("0.0000", "0"),
        ("0.0001", "0.0001"),
    ],
)
def test_credits_are_decimal_text_without_trailing_zeros(amount: str, text: str) -> None:
    assert credits_text(Decimal(amount)) == text


def test_unknown_credits_and_moments_are_null() -> None:
    assert credits_text(None) is None
    assert when(None) is None


@given(st.datetimes(datetime(1970, 1, 2), datetime(9998, 1, 1)), st.integers(-14, 14))  # noqa: DTZ001 - zones are added
def test_a_moment_is_written_in_utc_with_z(naive: datetime, hours: int) -> None:
    moment = naive.replace(tzinfo=timezone(timedelta(hours=hours)))
    text = when(moment)
    assert text is not None
    assert text.endswith("Z")
    assert timedelta(0) <= moment - datetime.fromisoformat(text) < timedelta(milliseconds=1)
