"""Good requests of every route, each changed here and there; the same ones for the same seed."""

import copy
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from fakes.pictures import drawn
from flask import Flask
from pydantic import BaseModel
from web.fuzz.keep_alive import with_body
from web.things import NOBODYS, path_of, rules, unknown

#: Bodies that are good somewhere; a route of another body gets them, and its own field names.
BODIES: tuple[dict[str, Any], ...] = (
    {"model": "flux-2-pro", "input": {"prompt": "x", "width": 256, "height": 256}},
    {
        "model": "flux-kontext-pro",
        "input": {"prompt": "x", "input_image": "img_0", "aspect_ratio": "1:1", "seed": 7},
        "callback_url": "https://example.com/hook",
        "callback_events": ["job.succeeded"],
        "metadata": {"order": "17"},
        "priority": "high",
        "start_at": "2027-01-01T00:00:00Z",
        "expires_at": "2027-01-02T00:00:00Z",
        "on_unconfirmed": "fail",
    },
    {"prompt": "x", "width": 256, "webhook_url": "https://example.com/h", "webhook_secret": "s"},
    {"url": "http://127.0.0.1:9/", "events": ["job.failed"]},
    {"since": "2026-11-22T12:00:00Z"},
    {
        "jobs": [
            {"model": "flux-2-pro", "input": {"prompt": "x", "width": 256, "height": 256}},
            {"model": "flux-2-max", "input": {"prompt": "y"}, "metadata": {"n": "2"}},
        ],
        "metadata": {"catalogue": "8"},
    },
    {"scopes": ["read"], "expires_at": "2027-01-01T00:00:00Z"},
    {"retention_days": 30},
    {"expires_in_seconds": 3600, "shows_prompt": True},
    {},
)
QUERY = {
    "limit": "5", "cursor": "a", "status": "queued", "model": "flux-2-pro", "q": "x", "id": "job_0",
    "created_after": "2026-11-22T12:00:00Z", "created_before": "2026-11-22T12:00:00Z", "proxy": "1",
    "parent": "img_0", "batch": "bat_0", "job_id": "job_0", "metadata.order": "17", "token": "a",
    "challenge": "abc",
    "wait": "1", "after": "0", "next": "/jobs", "types": "job.failed",
}  # fmt: skip
HEADERS = {
    "Idempotency-Key": "k-1", "Prefer": "wait=0", "Accept": "application/json",
    "Range": "bytes=0-9",
    "If-None-Match": '"abc"', "X-Request-Id": "r-1", "If-Range": '"abc"',
    "Cookie": "darkroom=a.b.c",
    "Last-Event-ID": "7", "Origin": "https://evil.example", "Accept-Language": "de", "X-Key": "k",
    "X-Webhook-Secret": "s", "X-BFL-Signature": "00",
    "If-Modified-Since": "Mon, 23 Nov 2026 11:00:00 GMT",
    "X-Forwarded-For": "1.2.3.4", "Content-Encoding": "gzip", "Accept-Encoding": "br", "Via": "x",
}  # fmt: skip
TYPES = (
    "application/json", "application/json; charset=utf-8", "image/png", "application/octet-stream",
    "multipart/form-data; boundary=b", "application/x-www-form-urlencoded", "text/plain",
)  # fmt: skip
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
TEXTS = (
    "", " ", "\x00", "\ud800", "\uffff", "\u202e", "é" * 300, "\U0001d54f" * 50, "a" * 5000, "%00",
    "%ff", "..",
    "../..", "//", "'", '"', "';--", "{{7*7}}", "${x}", "\r\nX: y", "null", "NaN", "-1", "0", "1e9",
    "9" * 30, "bytes=0-", "bytes=5-2", "bytes=-0", "bytes=9999999999999999999999-",
    "wait=60x", '""',
    "wait=-1", "*", 'W/"', "2026-02-30T00:00:00Z", "0000-00-00T00:00:00Z", "true", "[]", "\u0661",
    "http://[::1", "http://127.0.0.1:9/", "data:image/png;base64,", "iVBORw0KGgo=", "/etc/passwd",
    "\ufeff", "a\u0300" * 40, "<script>", "%n%s", "job_" + "f" * 32, "img_" + "F" * 32, "upl_", "-",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63 - 1, 2**63, -(2**63) - 1, 10**25, 0.1, -0.0,
    1e308, 1e-320,
    [], {}, [[]], [None], {"": None}, {"a": {"b": {"c": []}}}, ["x"] * 200, {"x" * 300: "y"},
    *TEXTS,
)  # fmt: skip
FORM = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n%s\r\n--b--\r\n'


@dataclass(frozen=True)
class Mutant:
    """One request."""

    route: str
    method: str
    sent: bytes


class Mutations:
    """Makes requests over an app's routes."""

    def __init__(
        self, app: Flask, things: Mapping[str, str], proof: Mapping[str, str], seed: int
    ) -> None:
        self._dice = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self._app, self._things, self._proof = app, things, proof
        self._unknown = unknown()
        self._routes = [
            (rule, method)
            for rule in rules(app)
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        ]
        self._picture = drawn("PNG")

    def next(self) -> Mutant:
        """Return another request."""
        rule, method = self._dice.choice(self._routes)
        if self._chance(0.05):
            method = self._dice.choice(METHODS)
        headers = dict(self._proof)
        takes_body = method in {"POST", "PUT", "PATCH", "DELETE"}
        body = self._body(self._own_fields(rule.endpoint), headers) if takes_body else None
        for name in self._dice.sample(sorted(HEADERS), self._dice.choice((0, 0, 1, 1, 2, 4))):
            headers[name] = self._text(HEADERS[name])
        line = f"{method} {self._path(rule)}{self._query()}"
        clean = {name: _one_line(value) for name, value in headers.items()}
        return Mutant(rule.rule, method, with_body(line, clean, body))

    def _value(self) -> Any:  # noqa: ANN401 - JSON, and what is nearly JSON
        # of its own: what is changed in it later must not come round again
        return copy.deepcopy(self._dice.choice(VALUES))

    def _chance(self, share: float) -> bool:
        return self._dice.random() < share

    def _text(self, good: str) -> str:
        """Return a text as it is, another one, or one with a few characters changed."""
        chance = self._dice.random()
        if chance < 0.4:
            return good
        if chance < 0.8 or not good:
            return self._dice.choice(TEXTS)
        place = self._dice.randrange(len(good))
        return good[:place] + self._dice.choice(TEXTS) + good[place + self._dice.randint(0, 3) :]

    def _path(self, rule: Any) -> str:  # noqa: ANN401 - werkzeug's Rule
        ids = dict(self._unknown if self._chance(0.2) else self._things)
        path = path_of(self._app, rule, ids)
        for value in (*ids.values(), *NOBODYS.values()):
            if value in path and self._chance(0.2):
                odd = quote(self._text(value).encode("utf-8", "surrogatepass"), safe="/%")
                path = path.replace(value, odd)
        return path

    def _query(self) -> str:
        names = self._dice.sample(sorted(QUERY), self._dice.choice((0, 0, 1, 2, 3)))
        known = {**QUERY, **{name: self._things[name] for name in QUERY if name in self._things}}
        pairs = [
            f"{name}={quote(self._text(known[name]).encode('utf-8', 'surrogatepass'), safe='%')}"
            for name in names
        ]
        return "?" + "&".join([*pairs, *pairs[: self._dice.choice((0, 0, 0, 1))]]) if pairs else ""

    def _own_fields(self, endpoint: str) -> Sequence[str]:
        """Return the names of a route's own body, where its description says them."""
        described = getattr(self._app.view_functions[endpoint], "operation", None)
        body: type[BaseModel] | None = described.body if described else None
        return list(body.model_fields) if body else []

    def _body(self, own: Sequence[str], headers: dict[str, str]) -> bytes:
        headers["Content-Type"] = "application/json"
        chance = self._dice.random()
        if chance < 0.05:
            headers["Content-Type"] = self._dice.choice(TYPES)
        if chance < 0.15:
            picture = bytearray(self._picture)
            for _ in range(self._dice.choice((0, 1, 5))):
                picture[self._dice.randrange(len(picture))] = self._dice.randrange(256)
            headers["Content-Type"] = self._dice.choice(TYPES[2:5])
            return FORM % picture if "form" in headers["Content-Type"] else bytes(picture)
        document = json.loads(json.dumps(self._dice.choice(BODIES)))
        document |= {name: self._value() for name in own if self._chance(0.5)}
        for _ in range(self._dice.choice((0, 1, 1, 2, 4))):
            self._change(document)
        text = json.dumps(document, ensure_ascii=self._chance(0.7))
        return self._spoilt(text) if self._chance(0.15) else text.encode("utf-8", "surrogatepass")

    def _change(self, document: dict[str, Any]) -> None:
        """Change one place of a document."""
        place: Any = document
        while True:
            names = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not names or self._chance(0.1):
                break
            name = self._dice.choice(names)
            if isinstance(place[name], (dict, list)) and place[name] and self._chance(0.6):
                place = place[name]
                continue
            if self._chance(0.2):
                del place[name]
            else:
                place[name] = self._value()
            return
        if isinstance(place, dict):
            place[self._dice.choice(TEXTS)] = self._value()
        else:
            place.append(self._value())

    def _spoilt(self, text: str) -> bytes:
        """Return what is no JSON any more, or is only for some readers."""
        raw = text.encode("utf-8", "surrogatepass")
        place = self._dice.randrange(len(raw) + 1)
        return self._dice.choice((
            raw[:place],
            raw[:place] + self._dice.randbytes(3) + raw[place:],
            raw + raw,
            b"\xef\xbb\xbf" + raw,
            text.encode("utf-16", "surrogatepass"),
            raw.replace(b'"x"', b"NaN"),
            raw[:-1] + b',"model":"flux-2-max"}',
            b'{"a":' * 5000 + b"1" + b"}" * 5000,
            raw.replace(b"256", b"9" * 5000),
            raw.replace(b"256", b"1e999"),
            b"[" + raw + b"]",
            b"",
        ))  # fmt: skip


def _one_line(value: str) -> str:
    """Leave out what would end the header: broken heads are another test's."""
    return "".join(letter for letter in value if letter.isprintable()).strip()
