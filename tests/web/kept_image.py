"""Images whose rows and bytes are both there, without a job's whole way."""

import hashlib
from typing import Any
from uuid import UUID

from factories import project_id
from sqlalchemy import update
from web.browser import shown_image

from service.keys import NewKey
from service.models import images
from service.wiring import Wiring


def kept_image(
    wiring: Wiring,
    key: NewKey,
    content: bytes,
    prompt: str = "a lighthouse",
    **given: Any,  # noqa: ANN401 - of the job's input
) -> UUID:
    """Make an image of these bytes, and return its id."""
    image_id = shown_image(wiring, key, prompt, **given)
    row = wiring.browse.image(project_id(wiring, key), image_id)
    wiring.object_store.put_bytes(row.key, content, row.content_type)
    said = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "bucket": wiring.settings.s3_bucket,
    }
    with wiring.database.transaction() as tx:
        tx.execute(update(images).where(images.c.id == image_id).values(said))
    return image_id
