"""Requests that are none, nearly: made at random, from what is known to have broken others."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

BODY = json.dumps({"model": "flux-2-pro", "input": {"prompt": "x"}}).encode()
METHODS = (
    "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "PRI", "get",
    "PROPFIND", "G\u00cbT", "", "GET\t", "POST\x00", "A" * 40, "M-SEARCH", "1", "GE(T", "*",
)  # fmt: skip
TARGETS = (
    "/v1/jobs", "/v1/price", "/", "*", "//", "//evil.com", "///v1/jobs", "/v1/../v1/jobs",
    "/v1/%2e%2e/jobs", "/v1/jobs/%00", "/v1/jobs/%", "/v1/jobs/%zz", "/v1/jobs/%c0%ae",
    "/v1/jobs/%ff%fe", "/v1/jobs#a", "/v1/jobs?", "/v1/jobs??", "/v1/jobs?a=%00", "/v1/jobs?%",
    "http://evil.com/v1/jobs", "http://", "https://[::1]:x/", "evil.com:443", "jobs", "", "\\",
    "/\u00fc", "/v1/\xff", "/v1/jobs;a=b", "/static/..%2fapp.py", "/static/%2e%2e/app.py",
    "/v1/jobs?" + "a=b&" * 1500, "/" + "a" * 9000, "/v1/models/" + "x/" * 500, "/?cursor=%F0%9F",
    "/login?next=//evil.com", "/webhooks/flux/%0d%0aX:y", "/v1/get_result?id=", "/\t", "/ /",
    "/flux/samples/a/sample.png", "/flux/v1/flux-2-pro", "/v1/flux-..%2f..%2fjobs", "/healthz",
)  # fmt: skip
VERSIONS = (
    "HTTP/1.1", "HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/3", "HTTP/1.2", "http/1.1", "HTTP/1.1 ",
    "HTTP/11", "HTTP/1,1", "HTTP/-1.1", "", "ICY/1.0", "HTTP/1.\u0661",
)  # fmt: skip
#: Framings of a body, of which each says something else about where it ends.
FRAMINGS = (
    ("Content-Length: 5", "Transfer-Encoding: chunked"),
    ("Transfer-Encoding: chunked", "Content-Length: 5"),
    ("Content-Length: 5", "Content-Length: 50"),
    ("Content-Length: 5", "Content-Length: 5"),
    ("Content-Length: 5, 6",),
    ("Content-Length: -1",),
    ("Content-Length: +5",),
    ("Content-Length: 0x5",),
    ("Content-Length: 5_0",),
    ("Content-Length: 1e3",),
    ("Content-Length: \u0665",),
    ("Content-Length:",),
    ("Content-Length: 99999999999999999999999",),
    ("Content-Length : 5",),
    (" Content-Length: 5",),
    ("Content_Length: 5", "Content-Length: 3"),
    ("Transfer-Encoding: chunked, identity",),
    ("Transfer-Encoding: identity, chunked",),
    ("Transfer-Encoding: chunked, chunked",),
    ("Transfer-Encoding: xchunked",),
    ("Transfer-Encoding: gzip, chunked",),
    ("Transfer-Encoding:\tchunked",),
    ("Transfer-Encoding : chunked",),
    ("Transfer-Encoding: \x0bchunked",),
    ("Transfer_Encoding: chunked", "Content-Length: 5"),
    ("Transfer-Encoding: chunked\r\n ",),
    ("Transfer-Encoding:\r\n chunked", "Content-Length: 5"),
    ("Transfer-Encoding: CHUNKED",),
    ("X: y\nTransfer-Encoding: chunked", "Content-Length: 5"),
    ("X: y\rContent-Length: 50",),
)
CHUNKS = (
    b"zz\r\nabc\r\n", b"5\r\nabcdefgh\r\n0\r\n\r\n", b"-1\r\n\r\n", b"5;\x00\r\nabcde", b"0\r\n",
    b"5\nabcde\n0\n\n", b"05\r\nabcde\r\n0\r\n\r\n", b"0x5\r\nabcde\r\n0\r\n\r\n", b"\r\n\r\n",
    b"5;" + b"a" * 9000 + b"\r\nabcde\r\n0\r\n\r\n", b"ffffffffffffffffff\r\n", b"5 \r\nabcde\r\n",
    b"2\r\n{}\r\n0\r\nX: y\r\nContent-Length: 9\r\n\r\n", b"2\r\n{}\r\n0\r\n" + b"A: b\r\n" * 3000,
    b"1_0\r\n", b"2\r\n{}0\r\n\r\n", b"2\r\n{}\r\n0\r\nnot a header\r\n\r\n",
    b"+2\r\n{}\r\n0\r\n\r\n",
)  # fmt: skip
ODD_HEADERS = (
    "X: a\r\n b", "X: a\r\n\tb", " X: a", "X : a", ": a", "X", "X:\x00", "X: \x7f", "X\x00: a",
    "X: \xff\xfe", "\u00fc: a", "X: " + "a" * 9000, "X" * 9000 + ": a", "Host: evil.com",
    "Host: a\r\nHost: b", "Host: ", "Host: [::", "Connection: upgrade\r\nUpgrade: h2c",
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: a", "HTTP2-Settings: AAMA",
    "Expect: 200-everything", "Expect: 100-continue, x", "Cookie: darkroom=a.b.c",
    "Cookie: \x01=;;=",
    "Cookie: " + "a=b; " * 1000, "Range: bytes=0-,1-,2-", "Accept: " + "*/*;q=0.1," * 500,
    "Authorization: Bearer \x00", "X-Request-Id: a\r\nSet-Cookie: a=b", "X-Forwarded-Proto: gopher",
    "X-Forwarded-For: 127.0.0.1\r\nForwarded: for=127.0.0.1", "Proxy: http://evil.com",
    "X-HTTP-Method-Override: DELETE", "Content-Encoding: gzip", "Content-Type: multipart/form-data",
    "Content-Type: multipart/form-data; boundary=", "Content-Type: a\xff/b", 'If-None-Match: "',
    "SCRIPT_NAME: /x", "Script-Name: /x", "Prefer: wait=-1", "Prefer: wait=9e9", "Te: trailers",
    "Accept-Language: " + "a-" * 400, "If-Modified-Since: yesterday", "X: ${jndi:ldap://x}",
)  # fmt: skip
PREFACES = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(20),
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET /v1/jobs\r\n", b"GET\r\n\r\n", b"\r\n" * 50, b"\x00" * 300, b"SSH-2.0-x\r\n", b"\n\n\n",
    b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET / HTTP/1.1\r\n\r\n",
    b"\x04\x01\x00P\x7f\x00\x00\x01\x00",
    b"GET / HTTP/1.1", b" GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET  /  HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\xef\xbb\xbfGET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\nHost: x\n\n",
    b"*1\r\n$4\r\nPING",
)  # fmt: skip


class End(Enum):
    """What a client does when it has sent all."""

    #: Says that nothing more will come, and listens.
    HALF = auto()
    CLOSE = auto()
    RESET = auto()
    #: Says nothing, and listens until we have had enough.
    SILENT = auto()


@dataclass(frozen=True)
class Case:
    """What one connection says."""

    kind: str
    pieces: list[bytes]
    end: End
    #: Between two pieces.
    pause_seconds: float = 0.0


class Raw:
    """Makes cases; the same ones for the same seed."""

    def __init__(self, seed: int, bearer: str) -> None:
        self._dice = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self._bearer = bearer
        self._kinds: list[Callable[[], bytes]] = [
            self.line, self.framing, self.chunks, self.headers, self.pipeline, self.after_error,
            self.expect, self.mutated, self.preface, self.huge,
        ]  # fmt: skip

    def case(self) -> Case:
        """Return the next one."""
        make = self._dice.choice(self._kinds)
        sent, chance = make(), self._dice.random()
        end = self._dice.choices(list(End), (70, 12, 12, 0))[0]
        if chance < 0.01:
            return Case(make.__name__ + ", slowly", self._pieces(sent, 12), End.HALF, 0.1)
        if chance < 0.015:
            return Case(make.__name__ + ", silent", [sent[: len(sent) // 2]], End.SILENT)
        if chance < 0.2:
            cut = sent[: self._dice.randrange(len(sent) + 1)]
            return Case(make.__name__ + ", cut", [cut], end)
        return Case(make.__name__, self._pieces(sent, self._dice.choice((1, 1, 1, 2, 4))), end)

    def line(self) -> bytes:
        """Return an odd request line over an ordinary request."""
        words = [self._dice.choice(each) for each in (METHODS, TARGETS, VERSIONS)]
        if self._dice.random() < 0.5:
            words[self._dice.randrange(3)] = self._dice.choice(("GET", "/v1/jobs", "HTTP/1.1"))
        space = self._dice.choice((" ", " ", " ", "\t", "  ", "\x0b"))
        return self._request(space.join(words))

    def framing(self) -> bytes:
        """Return a body whose end can be read in two ways, with a request behind it."""
        inner = self._request("GET /v1/smuggled HTTP/1.1")
        body = self._dice.choice((b"0\r\n\r\n", BODY, b"5\r\nabcde\r\n0\r\n\r\n", b"")) + inner
        return self._post(*self._dice.choice(FRAMINGS), body=body)

    def chunks(self) -> bytes:
        """Return a broken chunked body."""
        whole = b"%x\r\n%s\r\n" % (len(BODY), BODY)
        begun = self._dice.choice((b"", b"", whole))
        return self._post("Transfer-Encoding: chunked", body=begun + self._dice.choice(CHUNKS))

    def headers(self) -> bytes:
        """Return a request with a few odd headers."""
        odd = self._dice.choices(ODD_HEADERS, k=self._dice.randint(1, 4))
        if self._dice.random() < 0.5:
            return self._request("GET /v1/jobs?limit=1 HTTP/1.1", *odd)
        return self._post(f"Content-Length: {len(BODY)}", *odd, body=BODY)

    def pipeline(self) -> bytes:
        """Return several requests at once, the last of them perhaps broken."""
        many = [self._request("GET /v1/jobs?limit=1 HTTP/1.1") for _ in range(3)]
        last = self._dice.choice((self.line, self.headers, self.framing))()
        return b"".join([*many[: self._dice.randint(1, 3)], last])

    def after_error(self) -> bytes:
        """Return good requests behind one that was refused, on the same connection."""
        return self.headers() + self._request("GET /v1/jobs?limit=1 HTTP/1.1") + self.line()

    def expect(self) -> bytes:
        """Return a body that is sent without waiting for the leave that was asked for."""
        length = self._dice.choice((len(BODY), 0, 5, 10**10))
        return self._post("Expect: 100-continue", f"Content-Length: {length}", body=BODY)

    def mutated(self) -> bytes:
        """Return a good request with some bytes changed."""
        sent = bytearray(self._post(f"Content-Length: {len(BODY)}", body=BODY))
        for _ in range(self._dice.randint(1, 6)):
            place = self._dice.randrange(len(sent))
            sent[place : place + self._dice.randint(0, 3)] = self._dice.randbytes(
                self._dice.randint(0, 3)
            )
        return bytes(sent)

    def preface(self) -> bytes:
        """Return another protocol's first words."""
        return self._dice.choice(PREFACES)

    def huge(self) -> bytes:
        """Return a head that is too long, in one of its ways."""
        count = self._dice.choice((200, 5000))
        many = [f"X-{number}: y" for number in range(count)]
        long = "X: " + "a" * self._dice.choice((9_000, 70_000, 300_000))
        return self._request("GET /v1/jobs HTTP/1.1", *self._dice.choice((many, [long])))

    def _request(self, line: str, *headers: str, body: bytes = b"") -> bytes:
        head = [line, "Host: darkroom", self._bearer, *headers, "", ""]
        return "\r\n".join(head).encode("utf-8", "surrogateescape") + body

    def _post(self, *headers: str, body: bytes) -> bytes:
        place = self._dice.choice(("/v1/jobs", "/v1/price", "/v1/deliveries/redeliver"))
        line = f"POST {place} HTTP/1.1"
        return self._request(line, "Content-Type: application/json", *headers, body=body)

    def _pieces(self, sent: bytes, count: int) -> list[bytes]:
        size = max(1, -(-len(sent) // count))
        return [sent[start : start + size] for start in range(0, len(sent), size)]
