"""Images that nobody asked for and no bucket has."""

from uuid import UUID

from sqlalchemy import text

from service.wiring import Wiring

_ROWS = """
    WITH made AS (
        INSERT INTO jobs (id, project_id, status, model, input, metadata, priority,
            request_sha256, callback_events, provider)
        SELECT lpad(to_hex(number), 32, '0')::uuid, :project, 'succeeded', 'flux-2-pro', '{}',
            '{}', 1, '\\x00', '{}', 'simulator'
        FROM generate_series(1, :many) number)
    INSERT INTO images (id, project_id, job_id, bucket, key, content_type, width, height, bytes,
        sha256, model, prompt, due_at)
    SELECT lpad(to_hex(number), 32, '0')::uuid, :project, lpad(to_hex(number), 32, '0')::uuid,
        'images', 'k', 'image/png', 256, 256, 1, '0', 'flux-2-pro', 'a fox', NULL
    FROM generate_series(1, :many) number
"""


def many_images(wiring: Wiring, owner: UUID, many: int) -> None:
    """Give a project so many images of jobs of their own; the ids are their numbers, from 1."""
    with wiring.database.transaction() as tx:
        tx.execute(text(_ROWS), {"project": owner, "many": many})
