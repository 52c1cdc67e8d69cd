"""A job's timeline as it grows: server-sent events, read and taken up again after a cut.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import NamedTuple, cast

from urllib3 import BaseHTTPResponse

from service.client.documents import Event
from service.client.transport import (
    RETRY_PAUSES_SECONDS,
    Answer,
    ApiSilent,
    ApiUnreachable,
    Transport,
)

MEDIA_TYPE = "text/event-stream"
#: The API lets itself be heard every 15 s.
SILENCE_SECONDS = 45.0
#: A stream that has ended is asked once more, after this: 204 says that nothing is left to tell.
ASK_AGAIN_SECONDS = 0.25
MAX_LINE_BYTES = 1024 * 1024

_PIECE_BYTES = 64 * 1024
_MAX_REFUSAL_BYTES = 64 * 1024
#: What follows a CR decides whether it ends a line by itself.
_LINE_END = re.compile(rb"\r\n|\n|\r(?=.)", re.DOTALL)


class NotStreamed(Exception):
    """The API does not stream this now; after `seq` the timeline can still be asked for."""

    def __init__(self, seq: int) -> None:
        super().__init__(seq)
        self.seq = seq


class Message(NamedTuple):
    """One message of a stream."""

    id: str
    event: str
    data: str


def follow(
    transport: Transport, url: str, headers: Mapping[str, str], after: int
) -> Iterator[Event]:
    """Yield the events that come after a place, until there will be no more.

    Raises:
        NotStreamed: it is refused as too much, or a proxy in between keeps what comes to itself.
        ApiRefused: the API says no.
        ApiUnreachable: the stream was cut again and again.
    """
    pauses = iter(RETRY_PAUSES_SECONDS)
    while True:
        place = {**headers, "Accept": MEDIA_TYPE, "Last-Event-ID": str(after)}
        try:
            with transport.open(url, place, silence_seconds=SILENCE_SECONDS) as response:
                if response.status == HTTPStatus.NO_CONTENT:
                    return
                _check(response, url, after)
                for message in messages(_pieces(response)):
                    event = _event(message)
                    after = event["seq"]
                    yield event
                    pauses = iter(RETRY_PAUSES_SECONDS)
            time.sleep(ASK_AGAIN_SECONDS)
        except ApiSilent:
            raise NotStreamed(after) from None
        except ApiUnreachable:
            pause = next(pauses, None)
            if pause is None:
                raise
            time.sleep(pause)


def messages(pieces: Iterable[bytes]) -> Iterator[Message]:
    """Yield the messages of a stream; one that is not ended by an empty line is none.

    Raises:
        ApiUnreachable: a line is longer than any of ours.
    """
    last_id, event, data = "", "", list[str]()
    for line in _lines(pieces):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield Message(last_id, event or "message", "\n".join(data))
            event, data = "", []
        elif name == "data":
            data.append(value)
        elif name == "event":
            event = value
        elif name == "id" and "\0" not in value:
            last_id = value


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    rest, is_first = b"", True
    for piece in pieces:
        *lines, rest = _LINE_END.split(rest + piece)
        if len(rest) > MAX_LINE_BYTES:
            raise ApiUnreachable("what answers is no stream of a Darkroom")
        for line in lines:
            text = line.decode(errors="replace")
            yield text.removeprefix("\ufeff") if is_first else text
            is_first = False
    if rest.endswith(b"\r"):
        yield rest[:-1].decode(errors="replace")


def _pieces(response: BaseHTTPResponse) -> Iterator[bytes]:
    """Yield what comes as it comes."""
    while piece := response.read1(_PIECE_BYTES):
        yield piece


def _check(response: BaseHTTPResponse, url: str, after: int) -> None:
    """Raise what another answer than a stream means."""
    is_stream = response.headers.get("Content-Type", "").partition(";")[0].strip() == MEDIA_TYPE
    if response.status == HTTPStatus.OK and is_stream:
        return
    if response.status in {
        HTTPStatus.OK,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.SERVICE_UNAVAILABLE,
    }:
        raise NotStreamed(after)
    read = response.read(_MAX_REFUSAL_BYTES)
    raise Answer(response.status, response.headers, read).refusal(url)


def _event(message: Message) -> Event:
    try:
        found = json.loads(message.data)
        int(found["seq"])
    except (ValueError, TypeError, KeyError):
        raise ApiUnreachable("what answers is no stream of a Darkroom") from None
    return cast("Event", found)
