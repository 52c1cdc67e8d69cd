"""Keys: shown once, kept as a hash, useless once revoked."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from service.documents import api_key
from service.errors import UnknownCaller
from service.ids import Kind, read_id
from service.keys import NewKey
from service.models import ApiKey
from service.wiring import Wiring


def test_a_key_leads_to_its_project(wiring: Wiring, key: NewKey, other_key: NewKey) -> None:
    mine, other = wiring.keys.caller(key.api_key), wiring.keys.caller(other_key.api_key)
    assert (mine.project, other.project) == ("default", "other")
    assert mine.project_id != other.project_id


def test_several_keys_of_a_project_share_it_and_its_callback_secret(
    wiring: Wiring, key: NewKey
) -> None:
    second = wiring.keys.create("default")
    assert second.api_key != key.api_key
    assert second.callback_secret == key.callback_secret
    one, two = wiring.keys.caller(key.api_key), wiring.keys.caller(second.api_key)
    assert (one.project_id, one.key_id == two.key_id) == (two.project_id, False)


def test_a_project_made_by_many_at_once_is_one(wiring: Wiring) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(wiring.keys.create, ["fresh"] * 8))
    assert len({wiring.keys.caller(one.api_key).project_id for one in made}) == 1
    assert len({one.callback_secret for one in made}) == 1


def test_unknown_malformed_and_revoked_keys_are_told_the_same(wiring: Wiring, key: NewKey) -> None:
    said = set()
    assert wiring.keys.revoke(key.key_id)
    for wrong in (
        key.api_key,
        "dk_" + "x" * 43,
        key.api_key + "x",
        key.api_key + "\n",
        " " + key.api_key,
        "",
        "dk_",
        "dk_" + "é" * 43,
        "dk_" + "x" * 10_000,
        "\x00",
    ):
        with pytest.raises(UnknownCaller) as failure:
            wiring.keys.caller(wrong)
        said.add(str(failure.value))
    assert len(said) == 1


def test_a_key_is_revoked_once(wiring: Wiring, key: NewKey) -> None:
    assert wiring.keys.revoke(key.key_id)
    assert not wiring.keys.revoke(key.key_id)
    assert not wiring.keys.revoke("key_" + "0" * 32)
    assert not wiring.keys.revoke("nonsense")


def test_the_database_holds_no_key_and_the_listing_shows_none(wiring: Wiring, key: NewKey) -> None:
    with wiring.database.transaction() as tx:
        row = tx.first(select(*ApiKey.__table__.c))
    assert row.prefix == key.api_key[:10]
    assert len(row.sha256) == 32
    secret = key.api_key[10:]
    assert secret not in repr(row)
    (listed,) = map(api_key, wiring.keys.listing())
    assert listed["id"] == key.key_id
    assert read_id(Kind.KEY, key.key_id) == row.id
    assert secret not in repr(listed)
    wiring.keys.revoke(key.key_id)
    assert api_key(wiring.keys.listing()[0])["status"] == "revoked"


def test_a_project_name_is_fit_for_an_object_key(wiring: Wiring) -> None:
    for name in ("", "A", "a b", "a/b", "-a", "a" * 41, "ä", "a\n", "../a"):
        with pytest.raises(ValueError, match="project's name"):
            wiring.keys.create(name)
    for name in ("a", "a" * 40, "0-9"):
        assert wiring.keys.create(name).project == name
