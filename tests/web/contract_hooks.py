"""What schemathesis cannot guess: pictures, cursors, and ids of things that are there."""

import io
import json
import os
import re
from typing import Any

import schemathesis
from hypothesis import strategies as st
from PIL import Image

from service.ids import Kind, new_id, public_id
from service.signing.links import CursorSigner

#: Of the test that runs us: by name of a place in a path, an id that is known.
KNOWN = json.loads(os.environ["CONTRACT_KNOWN"])
OWN_KEY_ID = os.environ["CONTRACT_KEY_ID"]
CURSORS = CursorSigner([os.environ["SECRET_KEY"]])


def picture(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("L", (64, 64)).save(file, kind)
    return file.getvalue()


for kind in ("jpeg", "png", "webp"):
    schemathesis.openapi.media_type(f"image/{kind}", st.just(picture(kind)))
for other in ("image/jpg", "application/octet-stream"):
    schemathesis.openapi.media_type(other, st.just(picture("jpeg")))


@schemathesis.hook
def before_call(
    _context: schemathesis.HookContext, case: schemathesis.Case[Any], _kwargs: dict[str, object]
) -> None:
    """Where a request is meant well, let its cursor be one of this list and its id be known."""
    if case.path_parameters.get("key_id") == OWN_KEY_ID:
        # the list of keys told it of its own, and revoked that opens nothing any more
        case.path_parameters["key_id"] = public_id(Kind.KEY, new_id())
    if case.meta is None or case.meta.generation.mode.is_negative:
        return
    if "cursor" in case.query:
        listing = case.operation.path.rpartition("/")[2]
        case.query["cursor"] = CURSORS.write(listing, [new_id().hex])
    if "after" in case.query:
        case.query["after"] = "now"
    for name, value in case.path_parameters.items():
        if name in KNOWN and re.fullmatch(r"[a-z]{3}_[0-9a-f]{32}", str(value)):
            case.path_parameters[name] = KNOWN[name]
