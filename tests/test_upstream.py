"""Reading what upstream says: tolerant of words, strict about what is kept."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.states import ErrorCode
from service.upstream import Ended, InProgress, Ready, read_cost, read_result, storable_text

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
WORDS = st.sampled_from(["Ready", "SUCCESS", "Error", "Content Moderated", "Pending", "?", ""])
BODIES = st.dictionaries(
    st.sampled_from(["id", "task_id", "result", "details", "cost", "error"]), JSON
)


@given(body=BODIES, word=WORDS | JSON, sample=st.text() | st.none())
def test_any_body_is_read_and_what_is_kept_can_be_stored(
    body: dict[str, Any], word: object, sample: str | None
) -> None:
    if sample is not None:
        body["result"] = {"sample": sample, "seed": body.get("id"), "prompt": body.get("cost")}
    said = read_result({**body, "status": word})
    assert isinstance(said, InProgress | Ready | Ended)
    kept: list[object] = [said.task_id]
    kept.append(said.word if isinstance(said, InProgress) else None)
    kept += [said.url, said.facts, said.other] if isinstance(said, Ready) else []
    kept += [said.message, said.details, said.other] if isinstance(said, Ended) else []
    text = json.dumps(kept, allow_nan=False, ensure_ascii=False)
    assert "\x00" not in text
    assert "\\u0000" not in text
    text.encode()


SAMPLE = {"sample": "https://x/1.jpeg"}


@pytest.mark.parametrize("word", ["Ready", "ready", "SUCCESS", "Success", "succeeded", "COMPLETED"])
def test_words_for_a_result(word: str) -> None:
    said = read_result({"id": "t", "status": word, "result": SAMPLE | {"seed": 7, "more": 1}})
    other = {"result": {"more": 1}}
    assert said == Ready("https://x/1.jpeg", None, {"seed": 7}, "t", other=other)


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("Request Moderated", ErrorCode.REQUEST_MODERATED),
        ("Content Moderated", ErrorCode.CONTENT_MODERATED),
        ("content moderated", ErrorCode.CONTENT_MODERATED),
        ("Error", ErrorCode.UPSTREAM_ERROR),
        ("FAILED", ErrorCode.UPSTREAM_ERROR),
    ],
)
def test_words_for_an_end_without_an_image(word: str, code: ErrorCode) -> None:
    said = read_result({"task_id": "t", "status": word, "details": {"Moderation Reasons": ["X"]}})
    assert isinstance(said, Ended)
    assert (said.code, said.task_id) == (code, "t")
    assert said.message.endswith(": X")


@pytest.mark.parametrize("word", ["Pending", "Task not found", "processing", "Dreaming", None, 7])
def test_everything_else_is_under_way(word: object) -> None:
    assert isinstance(read_result({"status": word, "result": SAMPLE}), InProgress)


def test_an_azure_url_says_when_it_dies() -> None:
    for se, expected in (
        ("2026-11-22T10:00:00Z", datetime(2026, 11, 22, 10, tzinfo=UTC)),
        ("2026-11-22T10%3A00%3A00Z", datetime(2026, 11, 22, 10, tzinfo=UTC)),
        ("2026-11-22T10:00:00", datetime(2026, 11, 22, 10, tzinfo=UTC)),
        ("soon", None),
        ("", None),
    ):
        url = f"https://x/1.jpeg?sv=1&se={se}&sig=2"
        said = read_result({"status": "Ready", "result": {"sample": url}})
        assert isinstance(said, Ready)
        assert said.expires_at == expected, se


@pytest.mark.parametrize(
    ("value", "cost"),
    [
        (7.000000000000001, "7.0000"),
        (4, "4.0000"),
        ("0.05", "0.0500"),
        (0, "0.0000"),
        (-1, None),
        (1e999, None),
        (float("nan"), None),
        ("NaN", None),
        (10**7, None),
        (10**4000, None),
        (True, None),
        (None, None),
        ("free", None),
        ([1], None),
    ],
)
def test_a_cost_is_credits_or_nothing(value: object, cost: str | None) -> None:
    assert read_cost(value) == (None if cost is None else Decimal(cost))


def test_text_without_what_the_database_does_not_keep() -> None:
    assert storable_text("a\x00b\ud800c é 🦊") == "ab?c é 🦊"


def test_unknown_fields_are_kept_as_they_came() -> None:
    news = {"queue": {"place": [1, "two"]}, "timestamp": "2026-11-22"}
    said = read_result({"id": "t", "status": "Error", "progress": 1, "details": {"a": 1}, **news})
    assert isinstance(said, Ended)
    assert said.other == news


def test_what_opens_an_url_is_not_kept() -> None:
    urls = 'see https://x/1.jpeg?sig=canary, or "https://y/?canary" and https://z/#canary'
    said = read_result({"status": "Ready", "result": SAMPLE, "links": [urls, "https://x/plain"]})
    assert isinstance(said, Ready)
    kept = ['see https://x/1.jpeg?… or "https://y/?…" and https://z/?…', "https://x/plain"]
    assert said.other == {"links": kept}


def test_what_opens_an_url_is_in_no_message() -> None:
    bad = "cannot fetch https://b.s3/1.png?X-Amz-Signature=canary today"
    for said in (
        read_result({"status": "Error", "error": bad}),
        read_result({"status": "Error", "details": {"why": [bad]}}),
    ):
        assert "canary" not in repr(said)
        assert "https://b.s3/1.png?… today" in repr(said)


def test_unknown_fields_beyond_measure_are_only_named() -> None:
    said = read_result({"status": "Error", "much": "x" * 10_000})
    assert isinstance(said, Ended)
    assert said.other == {"names": ["much"]}
