"""Pictures of several sizes, each in every form in which a caller may give it."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from factories import upload
from fakes.simulator import Simulator
from sqlalchemy import select
from web.stored_image import succeeded

from service.ids import Kind, public_id
from service.keys import NewKey
from service.models import images
from service.wiring import Wiring

#: Around the megapixel (2**20 px) that prices go by, and the smallest that every model takes.
_SIZES = ((64, 64), (256, 256), (1024, 1024), (1024, 1025), (2048, 1024))
_URL_LIFETIME_SECONDS = 3600


class Form(Enum):
    """How a picture is given."""

    BASE64 = auto()
    DATA_URL = auto()
    #: Base64 in lines, as MIME has it.
    FOLDED = auto()
    UPLOAD = auto()
    IMAGE = auto()
    URL = auto()


@dataclass(frozen=True)
class Picture:
    """One file, and what a caller may write for it."""

    width: int
    height: int
    sha256: str
    given: Mapping[Form, str] = field(repr=False)


def stock(wiring: Wiring, key: NewKey, simulator: Simulator) -> list[Picture]:
    """Have pictures made, so that there are images of ours, and hand them in again as uploads."""
    return [_made(wiring, key, simulator, *size) for size in _SIZES]


def _made(wiring: Wiring, key: NewKey, simulator: Simulator, width: int, height: int) -> Picture:
    wanted = {"prompt": "a picture", "width": width, "height": height}
    job_id = succeeded(wiring, key, simulator, input=wanted)
    with wiring.database.transaction() as tx:
        (row,) = tx.rows(select(*images.c).where(images.c.job_id == job_id))
    content = wiring.object_store.get(row.bucket, row.key)
    text = base64.b64encode(content).decode()
    forms = {
        Form.BASE64: text,
        Form.DATA_URL: f"data:{row.content_type};base64,{text}",
        Form.FOLDED: base64.encodebytes(content).decode(),
        Form.UPLOAD: upload(wiring, key, content),
        Form.IMAGE: public_id(Kind.IMAGE, row.id),
        Form.URL: wiring.object_store.presign(row.bucket, row.key, _URL_LIFETIME_SECONDS),
    }
    return Picture(width, height, row.sha256, forms)
