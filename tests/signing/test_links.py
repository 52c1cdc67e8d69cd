"""Cursors and links: ours, unchanged, and of what they were made for."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import InvalidRequest
from service.ids import new_id
from service.signing.links import SAMPLE_LIFETIME, CursorSigner, LinkSigner

OLD, NEW = "an-old-key-that-is-long-enough-to-be-one", "a-new-key-that-is-long-enough-to-be-one"
SIGNER = CursorSigner([OLD])


def test_a_cursor_is_read_as_it_was_written() -> None:
    assert SIGNER.read("jobs", SIGNER.write("jobs", ["01a2", 7])) == ["01a2", 7]


def test_a_cursor_is_of_its_list_and_its_key() -> None:
    cursor = SIGNER.write("jobs", ["01a2"])
    for signer, listing in ((SIGNER, "images"), (CursorSigner([NEW]), "jobs")):
        with pytest.raises(InvalidRequest) as refused:
            signer.read(listing, cursor)
        assert [error.pointer for error in refused.value.errors] == ["/cursor"]


def test_after_a_rotation_old_cursors_go_on() -> None:
    rotated = CursorSigner([NEW, OLD])
    assert rotated.read("jobs", SIGNER.write("jobs", ["01a2"])) == ["01a2"]
    assert CursorSigner([NEW]).read("jobs", rotated.write("jobs", ["01a2"])) == ["01a2"]


@settings(max_examples=500, deadline=None)
@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_no_made_up_cursor_is_read(cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        SIGNER.read("jobs", cursor)


NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PROJECT, THING = new_id(), new_id()
LINKS = LinkSigner([OLD])


def test_a_result_token_is_always_the_same_and_opens_its_job() -> None:
    token = LINKS.result_token(PROJECT, THING)
    assert token == LINKS.result_token(PROJECT, THING)
    assert LINKS.project_of_result(token, THING) == PROJECT
    assert LINKS.project_of_result(token, new_id()) is None


def test_a_sample_token_opens_its_image_until_it_ends() -> None:
    token = LINKS.sample_token(PROJECT, THING, NOW)
    last = NOW + SAMPLE_LIFETIME - timedelta(seconds=1)
    # a host with a slower clock serves what one with a faster clock has signed
    for moment in (NOW, last, NOW - timedelta(hours=1)):
        assert LINKS.sample(token, moment) == (PROJECT, THING)
    assert LINKS.sample(token, NOW + SAMPLE_LIFETIME) is None


def test_a_token_of_one_kind_is_none_of_another() -> None:
    result, sample = LINKS.result_token(PROJECT, THING), LINKS.sample_token(PROJECT, THING, NOW)
    cursor = SIGNER.write("jobs", [PROJECT.hex, THING.hex])
    assert LINKS.project_of_result(sample, THING) is None
    assert LINKS.project_of_result(cursor, THING) is None
    assert LINKS.sample(result, NOW) is None


def test_links_outlive_a_rotation_and_end_with_their_key() -> None:
    token = LINKS.sample_token(PROJECT, THING, NOW)
    assert LinkSigner([NEW, OLD]).sample(token, NOW) == (PROJECT, THING)
    assert LinkSigner([NEW]).sample(token, NOW) is None
    fresh = LinkSigner([NEW, OLD]).result_token(PROJECT, THING)
    assert LinkSigner([NEW]).project_of_result(fresh, THING) == PROJECT


@settings(max_examples=500, deadline=None)
@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_no_made_up_token_opens_anything(token: str) -> None:
    assert LINKS.project_of_result(token, THING) is None
    assert LINKS.sample(token, NOW) is None
