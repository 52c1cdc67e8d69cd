"""The one file of a `multipart/form-data` body (RFC 7578), read as it comes."""

import itertools
from collections.abc import Iterable, Iterator

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from service.errors import FieldError, InvalidRequest, MalformedRequest

#: What is held of a body at a time, a part's headers included, bytes; more than a piece of it.
MAX_HELD_BYTES = 256 * 1024
#: RFC 2046, 5.1.1, allows 70; random ones of some clients are a little longer now and then.
MAX_BOUNDARY_CHARS = 200

_HOW = "send the picture as the only part, as a file: curl -F file=@picture.png"


def only_file(pieces: Iterable[bytes], boundary: str) -> Iterator[bytes]:
    """Yield the content of the only part of a body, which has to be a file, whatever its name.

    Raises:
        MalformedRequest: the body is not what its Content-Type says.
        InvalidRequest: there is no file, or something beside it.
    """
    if not (boundary.isascii() and 0 < len(boundary) <= MAX_BOUNDARY_CHARS):
        raise MalformedRequest("The Content-Type names no boundary that can be used.")
    decoder = MultipartDecoder(boundary.encode(), MAX_HELD_BYTES)
    files = 0
    for piece in itertools.chain(pieces, [None]):
        for event in _events(decoder, piece):
            match event:
                case Data(data=data):
                    yield data
                case File():
                    files += 1
                case Field() if not files:
                    raise _refused("came as a text field, which holds no picture")
            if isinstance(event, Field) or files > 1:
                raise _refused("there is something beside the picture")
    if not files:
        raise _refused("is required")


def _events(decoder: MultipartDecoder, piece: bytes | None) -> Iterator[object]:
    """Yield what a piece completes; None stands for the end of the body."""
    try:
        decoder.receive_data(piece)
        while not isinstance(event := decoder.next_event(), NeedData | Epilogue):
            yield event
    except (ValueError, RequestEntityTooLarge) as error:
        raise MalformedRequest("The body is not whole multipart/form-data.") from error


def _refused(why: str) -> InvalidRequest:
    return InvalidRequest("The upload was not taken.", [FieldError("/file", f"{why}; {_HOW}")])
