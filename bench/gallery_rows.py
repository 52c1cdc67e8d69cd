"""A database with a full gallery: SQL that fills it, and the few pictures that all rows share."""

import io
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from PIL import Image
from sqlalchemy import Connection, text

from service.ids import Kind, public_id
from service.pictures import THUMBNAIL_CONTENT_TYPE
from service.wiring import Wiring

#: Pictures of different proportions; rows name them in turn.
PICTURES = 40
APART_SECONDS = 5
#: One job in so many has a picture that is still there.
JOBS_PER_IMAGE = 10
EVENTS = ("queued", "submitting", "generating", "storing", "succeeded")

_ID = """
    (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008001'
     || lpad(to_hex(number), 12, '0'))::uuid
"""
_SERIES = """
    FROM (SELECT number, CAST(:newest AS timestamptz)
              - make_interval(secs => (:jobs - number) * :apart) AS at
          FROM generate_series(1, :jobs) number) one
"""
_PROMPT = """
    (ARRAY['a lighthouse','a harbour','two foxes','an old tram','red safelight','a paper boat'])
        [1 + number / 10 % 6]
    || ' in ' || (ARRAY['fog','rain','snow','the evening','spring','strong light','a mirror'])
        [1 + number / 60 % 7]
    || ', number ' || number
    || CASE WHEN number % 5000 = 0 THEN ', with a zeppelin' ELSE '' END
    || CASE WHEN number < :jobs / 5 THEN ', from the first reel' ELSE '' END
"""
_JOBS = f"""
    INSERT INTO jobs (id, project_id, status, model, input, metadata, priority, request_sha256,
        callback_events, provider, created_at, submitted_at, generated_at, completed_at, event_seq,
        cost_estimated, cost_actual, heard_by, result_expires_at, attempt_count)
    SELECT {_ID}, :project,
        CASE WHEN number % 10 = 5 AND number % 50 = 5 THEN 'failed' ELSE 'succeeded' END,
        CASE WHEN number / 10 % 20 = 7 THEN 'flux-2-max' ELSE 'flux-2-pro' END,
        jsonb_build_object('prompt', {_PROMPT}, 'width', 1024, 'height', 768, 'seed', number),
        jsonb_build_object('order', number::text), 1, '\\x00', '{{}}', 'simulator',
        at, at + interval '1 second', at + interval '9 seconds', at + interval '10 seconds', 5,
        3, 3, CASE WHEN number % 100 = 0 THEN 'poll' ELSE 'webhook' END,
        at + interval '609 seconds', 1
    {_SERIES}
"""
_IMAGES = f"""
    INSERT INTO images (id, project_id, job_id, created_at, bucket, key, content_type, width,
        height, bytes, sha256, model, prompt, due_at, thumbnail_key, seed, is_favourite)
    SELECT {_ID}, :project, {_ID}, at, :bucket, 'bench/' || number / 10 % :pictures || '.png',
        'image/png', 640 + 64 * (number / 10 % 9), 640 + 64 * (number / 10 % 7), 1000,
        encode(sha256(number::text::bytea), 'hex'),
        CASE WHEN number / 10 % 20 = 7 THEN 'flux-2-max' ELSE 'flux-2-pro' END,
        {_PROMPT}, NULL, 'bench/' || number / 10 % :pictures || '.webp', number,
        number % 500 = 0
    {_SERIES}
    WHERE number % :jobs_per_image = 0
"""
_TAGS = """
    INSERT INTO image_tags (image_id, project_id, tag)
    SELECT id, project_id, 'reel-' || seed::bigint / 10 % 8 FROM images
    WHERE seed::bigint / 10 % 10 = 3
"""
_ATTEMPTS = f"""
    INSERT INTO attempts (id, job_id, number, provider, intent_at, ended_at, outcome, task_id)
    SELECT {_ID}, {_ID}, 1, 'simulator', at, at, 'accepted', 'task-' || number {_SERIES}
    WHERE number > :jobs - 10000
"""
_EVENTS = f"""
    INSERT INTO job_events (job_id, seq, type, at, message, detail)
    SELECT {_ID}, seq, 'job.' || (CAST(:events AS text[]))[seq], at + make_interval(secs => seq),
        'It went on.', '{{}}'
    {_SERIES}, generate_series(1, 5) seq
    WHERE number > :jobs - 10000
"""
_ENDINGS = f"""
    INSERT INTO endings (job_id, seq, project_id, type, at)
    SELECT {_ID}, 5, :project,
        CASE WHEN number % 50 = 5 THEN 'job.failed' ELSE 'job.succeeded' END,
        at + interval '10 seconds'
    {_SERIES}
"""


@dataclass(frozen=True)
class Filled:
    """A project with many pictures."""

    api_key: str
    project_id: UUID
    #: Public ids, newest first.
    images: list[str]
    jobs: list[str]


def fill(wiring: Wiring, connection: Connection, jobs: int) -> Filled:
    """Put so many jobs, and a tenth as many images, into an empty database and its bucket."""
    key = wiring.keys.create("gallery")
    project_id = wiring.keys.project(key.project)
    assert project_id is not None  # noqa: S101 - made above
    bucket = wiring.settings.s3_bucket
    for number in range(PICTURES):
        small, whole = drawn(number, 512, "WEBP"), drawn(number, 1024, "PNG")
        wiring.object_store.put_bytes(f"bench/{number}.webp", small, THUMBNAIL_CONTENT_TYPE)
        wiring.object_store.put_bytes(f"bench/{number}.png", whole, "image/png")
    values = {
        "project": project_id, "jobs": jobs, "newest": datetime.now(UTC), "apart": APART_SECONDS,
        "bucket": bucket, "pictures": PICTURES, "jobs_per_image": JOBS_PER_IMAGE,
        "events": list(EVENTS),
    }  # fmt: skip
    for statement in (_JOBS, _IMAGES, _TAGS, _ATTEMPTS, _EVENTS, _ENDINGS):
        asked = text(statement)
        used = {name: values[name] for name in asked.compile().params}
        connection.execute(asked, used)
    connection.execute(text("VACUUM ANALYZE"))
    newest = text("SELECT id, job_id FROM images ORDER BY id DESC LIMIT 100")
    rows = connection.execute(newest).all()
    return Filled(
        key.api_key,
        project_id,
        [public_id(Kind.IMAGE, row.id) for row in rows],
        [public_id(Kind.JOB, row.job_id) for row in rows],
    )


def drawn(number: int, edge_px: int, form: str) -> bytes:
    """Return a picture that is no one colour and does not pack to nothing."""
    dice = random.Random(number)  # noqa: S311 - the same in every run
    small = Image.frombytes("RGB", (16, 12), dice.randbytes(16 * 12 * 3))
    shape = (edge_px, edge_px * (12 + number % 5) // 16)
    written = io.BytesIO()
    small.resize(shape, Image.Resampling.BICUBIC).save(written, form)
    return written.getvalue()
