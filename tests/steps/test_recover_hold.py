"""A database that lost what it had, or is elsewhere, is held before it buys anything."""

import json
from collections.abc import Iterator

import pytest
from factories import Rewire, ago, enqueue
from fakes.restored import restored_copy
from fakes.ringing import Ringing
from sqlalchemy import delete, make_url, select, text
from steps.marking import administer, change, claimed, mark_again, row

from service.clients.object_store import ObjectStore
from service.keys import NewKey
from service.models import Attempt
from service.wiring import Wiring

#: Longer ago than any mark is good for.
LONG_AGO = 3600.0


def lose(store: ObjectStore, there: str, damaged: bytes | None) -> None:
    if damaged is None:
        store.delete(store.bucket, there)
    else:
        store.put_bytes(there, damaged, "application/json")


def test_a_mark_says_how_far_the_database_is_and_where(wiring: Wiring, key: NewKey) -> None:
    enqueue(wiring, key)
    claimed(wiring)
    wiring.recover.mark()
    mark_again(wiring)
    there = f"{wiring.settings.s3_prefix}.darkroom/{row(wiring).id}.json"
    mark = json.loads(wiring.object_store.get(wiring.object_store.bucket, there))
    with wiring.database.transaction() as tx:
        attempt = tx.scalar(select(Attempt.id))
        system = tx.scalar(text("SELECT system_identifier::text FROM pg_control_system()"))
    assert (mark["number"], mark["newest_attempt"]) == (2, str(attempt))
    assert (mark["system_identifier"], mark["timeline"]) == (system, "00000001")
    assert list(wiring.reindex.run(1)) == []


def test_a_restored_backup_is_held_before_its_first_claim(
    wiring: Wiring, key: NewKey, rewire: Rewire
) -> None:
    enqueue(wiring, key)
    wiring.recover.mark()
    with restored_copy(wiring, rewire) as restored:
        mark_again(wiring)
        assert claimed(wiring) == 1
        assert claimed(restored) == 0, "unverified"
        restored.recover.mark()
        assert claimed(restored) == 0, "held"
        assert row(restored).held_reason == "it is at mark 1, and its mark in the bucket is 2"
        assert "not verified" in str(restored.vitals.trouble())
        restored.recover.mark()
        assert row(restored).mark_number == 1


def test_lost_attempts_hold_it_whatever_its_number_says(wiring: Wiring, key: NewKey) -> None:
    enqueue(wiring, key)
    claimed(wiring)
    wiring.recover.mark()
    with wiring.database.transaction() as tx:
        tx.execute(delete(Attempt))
    mark_again(wiring)
    assert "newest attempt" in row(wiring).held_reason


@pytest.mark.parametrize(("fact", "value"), [("system_identifier", "1"), ("timeline", "00000002")])
def test_another_server_holds_it(wiring: Wiring, fact: str, value: str) -> None:
    wiring.recover.mark()
    marks, deployment = wiring.recover.marks, row(wiring).id
    left = marks.read(deployment)
    assert left is not None
    marks.write(deployment, left.model_copy(update={fact: value}))
    mark_again(wiring)
    assert row(wiring).held_at is not None


@pytest.fixture
def without_rights(wiring: Wiring) -> Iterator[None]:
    """Have every connection of this test be a role that may not ask for the cluster."""
    name = make_url(wiring.settings.database_url.get_secret_value()).database
    role = f"plain_{name}"
    grant = f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {role}"
    for statement in (
        "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC",
        f"CREATE ROLE {role}",
        grant,
        f"ALTER DATABASE {name} SET role = {role}",
    ):
        administer(wiring, statement)
    wiring.close()
    yield
    administer(wiring, "SET ROLE NONE", f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_a_role_that_may_not_ask_for_the_cluster_is_marked_without_it(
    without_rights: None, wiring: Wiring, key: NewKey
) -> None:
    wiring.recover.mark()
    left = wiring.recover.marks.read(row(wiring).id)
    assert left is not None
    assert (left.system_identifier, left.timeline) == (None, "00000001")
    mark_again(wiring)
    enqueue(wiring, key)
    assert claimed(wiring) == 1


def test_copies_of_an_empty_database_are_deployments_of_their_own(
    wiring: Wiring, key: NewKey, rewire: Rewire
) -> None:
    with restored_copy(wiring, rewire) as other:
        for one in (wiring, other, wiring, other):
            one.recover.mark()
            mark_again(one)
        assert row(wiring).id != row(other).id
        enqueue(other, other.keys.create("default"))
        assert claimed(other) == 1


def test_a_server_that_began_anew_is_verified_before_the_first_claim(
    wiring: Wiring, key: NewKey, ringing: Ringing
) -> None:
    wiring.recover.mark()
    change(wiring, marked_in="another run")
    enqueue(wiring, key)
    assert claimed(wiring) == 0
    wiring.recover.mark()
    assert claimed(wiring) == 1


@pytest.mark.parametrize("damaged", [None, b"{}"])
def test_a_mark_that_cannot_be_read_is_made_again_only_by_who_left_it_lately(
    wiring: Wiring, key: NewKey, damaged: bytes | None
) -> None:
    store = wiring.object_store
    wiring.recover.mark()
    there = f"{wiring.settings.s3_prefix}.darkroom/{row(wiring).id}.json"
    lose(store, there, damaged)
    mark_again(wiring)
    assert store.get(store.bucket, there)
    lose(store, there, damaged)
    change(wiring, marked_at=ago(LONG_AGO))
    wiring.recover.mark()
    enqueue(wiring, key)
    assert claimed(wiring) == 0
    assert wiring.recover.look().reason == "its mark in the bucket is missing or cannot be read"
    wiring.recover.release()
    wiring.recover.mark()
    assert claimed(wiring) == 1
