"""Cursors: ours, unchanged, and of the list they came from."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import InvalidRequest
from service.signing.links import CursorSigner

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
