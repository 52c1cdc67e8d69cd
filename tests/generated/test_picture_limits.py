"""The largest pictures that we take are taken upstream too."""

import io
import struct
import zlib

import pytest
from factories import Rewire, enqueue, run, upload
from fakes.simulator import Simulator
from generation.minimal import minimal_input
from PIL import Image as Pillow

from service.generation import CATALOGUE
from service.generation.image_parameter import Image
from service.keys import NewKey
from service.upstream import Accepted

_END_CHUNK_BYTES = 12

#: One parameter for each set of limits in the catalogue.
LIMITS = {
    (each.accepts, each.max_bytes, each.max_pixels): (model.name, name)
    for model in CATALOGUE.models.values()
    for name, each in model.images.items()
}


def largest(limits: Image) -> bytes:
    """Return a picture of all the pixels and all the bytes that are allowed."""
    height = 2048
    drawn = io.BytesIO()
    Pillow.new("L", (limits.max_pixels // height, height)).save(drawn, "PNG")
    data = drawn.getvalue()
    # a chunk of no meaning before the last makes up the bytes
    padding = bytes(limits.max_bytes - len(data) - _END_CHUNK_BYTES)
    chunk = b"paDd" + padding
    framed = struct.pack(">I", len(padding)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return data[:-_END_CHUNK_BYTES] + framed + data[-_END_CHUNK_BYTES:]


@pytest.mark.parametrize(("model", "name"), LIMITS.values())
def test_the_largest_picture_that_we_take_is_not_refused_upstream(
    rewire: Rewire, key: NewKey, simulator: Simulator, model: str, name: str
) -> None:
    wiring = rewire(send_deadline_seconds=30.0, flux_timeout_seconds=30.0)
    parameter = CATALOGUE[model].images[name]
    picture = upload(wiring, key, largest(parameter))
    needed = {n: picture for n, one in CATALOGUE[model].images.items() if one.required}
    given = {**minimal_input(CATALOGUE[model]), **needed, name: picture}
    enqueue(wiring, key, model=model, input=given)
    (outcome,) = run(wiring.submit)
    assert isinstance(outcome, Accepted), outcome
