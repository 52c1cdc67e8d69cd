"""Jobs that have ended long ago, with all that a job leaves in the tables."""

from datetime import UTC, datetime, timedelta

from load import connected

#: Rows of each statement.
_AT_ONCE = 100_000


def add_ended_jobs(database_url: str, count: int) -> None:
    """Add so many to the one project, a second apart, the newest an hour old."""
    # one moment for all statements: ids are made of it
    newest = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    with connected(database_url) as connection:
        for first in range(0, count, _AT_ONCE):
            last = min(first + _AT_ONCE, count) - 1
            series = f"""
                (SELECT n, timestamptz '{newest}' - make_interval(secs => {count} - n) AS at,
                     p.id AS project
                 FROM generate_series({first}, {last}) n, projects p) one
            """
            for statement in _STATEMENTS:
                connection.execute(statement.replace("$SERIES", series).encode())
        connection.execute("VACUUM ANALYZE")


def _id(kind: int) -> str:
    """Return SQL for a UUIDv7 of the row's moment, which its number makes the only one."""
    return f"""
        (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0')
         || '7000800{kind}' || lpad(to_hex(n), 12, '0'))::uuid
    """


_JOB, _ATTEMPT, _IMAGE, _DELIVERY = map(_id, (1, 2, 3, 4))
_STATEMENTS = (
    f"""
    INSERT INTO jobs (id, project_id, status, event_seq, model, input, metadata, priority,
        request_sha256, callback_url, callback_events, created_at, submitted_at, generated_at,
        completed_at, provider, attempt_count, task_id, polling_url, result_url,
        result_expires_at, heard_by, result)
    SELECT {_JOB}, project, 'succeeded', 5, 'flux-2-pro',
        jsonb_build_object('prompt', 'long ago, ' || n, 'width', 1024, 'height', 768), '{{}}', 1,
        sha256(n::text::bytea), 'http://127.0.0.1:9/callbacks/' || n,
        '{{job.succeeded,job.failed}}', at, at, at, at, 'simulator', 1, 'long-ago-' || n,
        'http://127.0.0.1:9/v1/get_result?id=' || n,
        'http://127.0.0.1:9/images/' || n, at + interval '10 minutes', 'webhook', '{{"seed": 7}}'
    FROM $SERIES
    """,
    f"""
    INSERT INTO attempts (id, job_id, number, provider, intent_at, ended_at, outcome, task_id,
        http_status)
    SELECT {_ATTEMPT}, {_JOB}, 1, 'simulator', at, at, 'accepted', 'long-ago-' || n, 200
    FROM $SERIES
    """,
    f"""
    INSERT INTO job_events (job_id, seq, type, at, message, detail)
    SELECT {_JOB}, seq, 'job.' || said, at, 'What became of it, in a sentence', '{{"attempt": 1}}'
    FROM $SERIES, unnest(ARRAY['queued', 'submitting', 'generating', 'storing', 'succeeded'])
        WITH ORDINALITY AS line (said, seq)
    """,
    f"""
    INSERT INTO flux_webhooks (attempt_id, body_sha256, job_id, received_at, body, effect)
    SELECT {_ATTEMPT}, sha256(n::text::bytea), {_JOB}, at, repeat('b', 200)::bytea, 'moved'
    FROM $SERIES
    """,
    f"""
    INSERT INTO images (id, project_id, job_id, created_at, bucket, key, content_type, width,
        height, bytes, sha256, seed, model, prompt, thumbnail_key, sidecar_key, due_at)
    SELECT {_IMAGE}, project, {_JOB}, at, 'images', 'key-' || n, 'image/png', 256, 256, 20000,
        repeat('a', 64), 7, 'flux-2-pro', 'long ago, ' || n, 'thumbnail-' || n, 'sidecar-' || n,
        NULL
    FROM $SERIES
    """,
    f"""
    INSERT INTO deliveries (id, project_id, job_id, seq, type, url, origin, body, status, due_at,
        tries, began_at, created_at, completed_at)
    SELECT {_DELIVERY}, project, {_JOB}, 5, 'job.succeeded', 'http://127.0.0.1:9/callbacks/' || n,
        'http://127.0.0.1:9', repeat('c', 1500), 'delivered', NULL, 1, at, at, at
    FROM $SERIES
    """,
    f"""
    INSERT INTO delivery_attempts (delivery_id, number, at, duration_ms, http_status, answer)
    SELECT {_DELIVERY}, 1, at, 3, 200, ''
    FROM $SERIES
    """,
    f"""
    INSERT INTO endings (job_id, seq, project_id, type, at)
    SELECT {_JOB}, 5, project, 'job.succeeded', at
    FROM $SERIES
    """,
)
