"""The snippets of the README by which callers verify us, on genuine, odd and forged calls."""

import base64
import json
import os
import re
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from service.ids import Kind, new_id, public_id
from service.signing.callback import callback_headers, new_callback_secret

ROOT = Path(__file__).parents[2]
VECTORS = [
    json.loads(line)
    for line in (ROOT / "tests/vectors/standard_webhooks.jsonl").read_text().splitlines()
]
BODY = '{"type":"job.succeeded","data":{"prompt":"naïve 🖼"}}'
MUTATIONS = 20_000

Verified = Callable[[str, bytes, dict[str, str]], dict[str, Any] | None]


def snippet(language: str, having: str) -> str:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    (found,) = (block for block in blocks if having in block)
    return str(found)


@pytest.fixture
def namespace() -> dict[str, Any]:
    """What the Python snippet defines and imports."""
    defined: dict[str, Any] = {}
    exec(snippet("python", "def verified"), defined)  # noqa: S102 - it is our own README
    return defined


@pytest.fixture
def verified(namespace: dict[str, Any]) -> Verified:
    found: Verified = namespace["verified"]
    return found


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"][:60])
def test_the_snippet_takes_what_is_genuine_and_nothing_else(
    verified: Verified, monkeypatch: pytest.MonkeyPatch, vector: dict[str, Any]
) -> None:
    monkeypatch.setattr(time, "time", lambda: vector["now"])
    body = base64.b64decode(vector["body_b64"])
    event = verified(vector["secret"], body, vector["headers"])
    assert (event is not None) == (vector["expect"] == "accept")


def genuine(secret: str) -> dict[str, str]:
    delivery_id = public_id(Kind.DELIVERY, new_id())
    return callback_headers(delivery_id, BODY, [secret], datetime.now(UTC))


def test_the_snippet_takes_what_we_send(verified: Verified) -> None:
    new, old = new_callback_secret(), new_callback_secret()
    headers = callback_headers("dlv_1", BODY, [new, old], datetime.now(UTC))
    for secret in (new, old):
        assert verified(secret, BODY.encode(), headers) == json.loads(BODY)
    assert verified(new_callback_secret(), BODY.encode(), headers) is None


def test_no_change_of_a_call_is_taken_nor_breaks_the_snippet(verified: Verified) -> None:
    chance = Random(5)  # noqa: S311 - it guards nothing
    secret = new_callback_secret()
    for _ in range(MUTATIONS):
        headers, body = genuine(secret), bytearray(BODY.encode())
        name = chance.choice([*headers, "body"])
        if name == "body":
            body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
        else:
            headers[name] = changed(headers[name], chance)
        assert verified(secret, bytes(body), headers) is None


def changed(text: str, chance: Random) -> str:
    """Return a text with one character replaced, added or left out."""
    place, letter = chance.randrange(len(text)), chance.choice("0aA+/=. ,v1\u00e9\u0660\t")
    after = place + chance.choice([0, 1])
    new = text[:place] + chance.choice([letter, ""]) + text[after:]
    # what a space separates is looked at by itself: genuine beside something else is genuine
    return new if new.strip() != text else f"x{text}"


def test_the_shell_snippet_tells_genuine_from_forged(tmp_path: Path) -> None:
    secret = new_callback_secret()
    headers = genuine(secret)
    (tmp_path / "body.json").write_text(BODY, encoding="utf-8")
    known = {
        "PATH": os.environ["PATH"],
        "SECRET": secret,
        "ID": headers["webhook-id"],
        "AT": headers["webhook-timestamp"],
        "SIGNATURE": headers["webhook-signature"],
    }
    words = {
        said: subprocess.run(
            ["/bin/sh", "-c", snippet("sh", "openssl dgst")],
            env={**known, **other},
            cwd=tmp_path,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for said, other in {
            "genuine": {},
            "another id": {"ID": "dlv_2"},
            "another time": {"AT": "1"},
            "another secret": {"SECRET": new_callback_secret()},
            "no signature": {"SIGNATURE": ""},
        }.items()
    }
    assert words.pop("genuine") == "genuine"
    assert set(words.values()) == {"forged"}
