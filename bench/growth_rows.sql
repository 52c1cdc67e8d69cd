-- The statements of growth_rows.py, in order. {id:KIND} is a UUIDv7 of the row's time and number.
-- jobs
INSERT INTO jobs (id, project_id, status, model, input, metadata, priority, idempotency_key,
    request_sha256, callback_url, callback_events, created_at, submitted_at, generated_at,
    completed_at, event_seq, batch_id, retry_of, provider, attempt_count, task_id, cost_estimated,
    cost_actual, maybe_charged, result_expires_at, heard_by, result, error_code, error_message)
SELECT {id:8001}, project_id, status,
    CASE WHEN number % 20 = 7 THEN 'flux-2-max' ELSE 'flux-2-pro' END,
    jsonb_build_object('prompt', {prompt}, 'width', 1024, 'height', 768),
    CASE WHEN number % 10 IN (5, 9)
        THEN jsonb_build_object('order', number::text, 'shop', (number % 200)::text)
        ELSE '{}' END,
    1, CASE WHEN number % 4 = 0 THEN 'key-' || number END, '\x00', 'http://127.0.0.1:9/hook', '{}',
    at, at + interval '1 second', at + interval '9 seconds', at + interval '10 seconds', 5,
    CASE WHEN number / 10 % 10 = 0 THEN md5('batch' || project_id || number / 10)::uuid END,
    CASE WHEN number % 1000 = 1 THEN {id:8001} END,
    'simulator', 1, 'task-' || number, 3, 3, status = 'failed' AND number % 200 = 0,
    at + interval '609 seconds', CASE WHEN number % 100 = 3 THEN 'poll' ELSE 'webhook' END,
    CASE WHEN status = 'succeeded' THEN jsonb_build_object('seed', number) END,
    CASE WHEN status = 'failed'
        THEN (ARRAY['content_moderated', 'upstream_timeout', 'upstream_error', 'expired'])
            [1 + number / 50 % 4] END,
    CASE WHEN status = 'failed' THEN 'It was not to be.' END
{series}

-- job_pairs
INSERT INTO job_pairs (pair, job_id)
SELECT job_pair(project_id, name, value), {id:8001}
{series},
    LATERAL (VALUES ('order', number::text), ('shop', (number % 200)::text)) pair (name, value)
WHERE number % 10 IN (5, 9)

-- batches
INSERT INTO batches (id, project_id, created_at, size, metadata, idempotency_key, request_sha256,
    completed_at)
SELECT md5('batch' || project_id || number / 10)::uuid, project_id, min(at), count(*), '{}',
    CASE WHEN number / 10 % 20 = 0 THEN 'key-' || number / 10 END, '\x00', max(at)
{series}
WHERE number / 10 % 10 = 0
GROUP BY project_id, number / 10
ON CONFLICT (id) DO UPDATE SET size = batches.size + excluded.size

-- attempts
INSERT INTO attempts (id, job_id, number, provider, intent_at, ended_at, outcome, task_id,
    http_status, cost)
SELECT {id:8002}, {id:8001}, 1, 'simulator', at, at + interval '1 second',
    CASE WHEN number % 200 = 100 THEN 'unknown' ELSE 'accepted' END, 'task-' || number, 200, 3
{series}

-- job_events
INSERT INTO job_events (job_id, seq, type, at, message, detail)
SELECT {id:8001}, seq,
    'job.' || CASE WHEN seq = 5 THEN status
        ELSE (ARRAY['queued', 'submitting', 'generating', 'storing'])[seq] END,
    at + make_interval(secs => 2 * seq), 'It went on.', '{"attempt": 1}'
{series}, generate_series(1, 5) seq

-- flux_webhooks
INSERT INTO flux_webhooks (attempt_id, body_sha256, job_id, received_at, body, effect)
SELECT {id:8002}, sha256(number::text::bytea), {id:8001}, at,
    convert_to('{"id": "task-' || number || '", "status": "Ready", "result": {}}', 'UTF8'),
    'moved'
{series}
WHERE status = 'succeeded' AND number % 100 <> 3

-- images
INSERT INTO images (id, project_id, job_id, created_at, bucket, key, content_type, width, height,
    bytes, sha256, seed, model, prompt, parent_image_ids, thumbnail_key, sidecar_key, is_favourite,
    due_at)
SELECT {id:8003}, project_id, {id:8001}, at, 'images', 'pictures/1.png',
    'image/png', 640 + 64 * (number / 10 % 9), 640 + 64 * (number / 10 % 7), 1000, 'a',
    number, CASE WHEN number % 20 = 7 THEN 'flux-2-max' ELSE 'flux-2-pro' END, {prompt},
    CASE WHEN number % 1000 = 25 THEN ARRAY[{id:8003}] ELSE '{}' END,
    'pictures/1.webp', 'pictures/1.json', number % 50 = 5, NULL
{series}
WHERE number % 10 IN (5, 9)

-- image_tags
INSERT INTO image_tags (image_id, project_id, tag)
SELECT {id:8003}, project_id, (ARRAY['reel-', 'shelf-'])[seq] || number / 10 % (3 + seq)
{series}, generate_series(1, 2) seq
WHERE number % 10 IN (5, 9)

-- deliveries
INSERT INTO deliveries (id, project_id, job_id, seq, type, url, origin, body, status, tries,
    began_at, created_at, completed_at)
SELECT {id:8004}, project_id, {id:8001}, 5, 'job.' || status, 'http://127.0.0.1:9/hook',
    'http://127.0.0.1:9', '{"type": "job.' || status || '", "data": {"number": ' || number || '}}',
    CASE WHEN number % 1000 = 3 THEN 'exhausted' ELSE 'delivered' END, 1, at, at,
    at + interval '11 seconds'
{series}

-- delivery_attempts
INSERT INTO delivery_attempts (delivery_id, number, at, duration_ms, http_status, answer)
SELECT {id:8004}, 1, at, 12, CASE WHEN number % 1000 = 3 THEN 410 ELSE 200 END, 'ok'
{series}

-- endings
INSERT INTO endings (job_id, seq, project_id, type, at, position)
SELECT {id:8001}, 5, project_id, 'job.' || status, at + interval '10 seconds',
    CASE WHEN number <= CAST(:jobs AS bigint) - 50 THEN number END
{series}

-- removals
INSERT INTO removals (image_id, project_id, removed_at, objects, due_at)
SELECT {id:8005}, project_id, at, '[]', NULL {series} WHERE number % 100 = 11

-- shares
INSERT INTO shares (id, project_id, image_id, created_at, expires_at, shows_prompt)
SELECT {id:8006}, project_id, {id:8003}, at, at + interval '30 days', true
{series}
WHERE number % 500 = 5

-- uploads
INSERT INTO uploads (id, project_id, created_at, bucket, key, content_type, width, height, bytes,
    sha256)
SELECT {id:8007}, project_id, at, 'images', 'uploads/' || number, 'image/png', 64, 64, 1000, 'a'
{series}
WHERE number % 50 = 13

-- sessions
INSERT INTO sessions (id, sha256, key_id, created_at, last_seen_at, expires_at)
SELECT gen_random_uuid(), sha256(number::text::bytea), gen_random_uuid(), now(), now(),
    CAST(:newest AS timestamptz) + interval '7 days'
FROM generate_series(1, 1000) number

-- hours
INSERT INTO hours (project_id, hour, succeeded, failed, canceled, polled, least_margin_seconds,
    total_margin_seconds, credits, doubtful_credits)
SELECT project_id, date_trunc('hour', CAST(:newest AS timestamptz), 'UTC')
        - interval '1 hour' * hour, 300, 6, 1, 4, 590, 180000, 900, 1
FROM unnest(CAST(:projects AS uuid[])) project_id,
    generate_series(0, greatest(24 * 31, CAST(:jobs AS bigint) * :apart / 3600)) hour

-- folds
INSERT INTO folds (name, through, mark, mark_transaction)
VALUES ('hours', CAST(:newest AS timestamptz) - interval '30 minutes',
    CAST(:newest AS timestamptz) - interval '30 minutes', 0)

-- spending
INSERT INTO spending (project_id, day, credits)
SELECT project_id, CAST(:newest AS date) - day::int, 100
FROM unnest(CAST(:projects AS uuid[])) project_id,
    generate_series(0, CAST(:jobs AS bigint) * :apart / 86400) day

-- balances
INSERT INTO balances (provider, at, asked_at, credits)
SELECT 'simulator', at, at, 1000000 + hour
FROM (SELECT hour, CAST(:newest AS timestamptz) - interval '1 hour' * hour - interval '10 minutes' AS at
      FROM generate_series(0, 24 * 29) hour) one

-- live jobs
INSERT INTO jobs (id, project_id, status, due_at, model, input, metadata, priority, request_sha256,
    callback_url, callback_events, created_at, submitted_at, event_seq, provider, attempt_count,
    task_id, cost_estimated, result_url, result_expires_at, heard_by, kept_by)
SELECT {id:9001}, project_id, live, now() + CASE
        WHEN live = 'queued' AND number <= 2000 THEN interval '-1 minute' ELSE interval '3 hours'
    END,
    'flux-2-pro', jsonb_build_object('prompt', {prompt}), '{}', 1, '\x00',
    'http://127.0.0.1:9/hook', '{job.succeeded,job.failed}', at, CASE WHEN live <> 'queued' THEN at END, 2, 'simulator',
    CASE WHEN live = 'queued' THEN 0 ELSE 1 END,
    CASE WHEN live IN ('generating', 'storing') THEN 'task-live-' || number END, 3,
    CASE WHEN live = 'storing' THEN 'http://127.0.0.1:9/picture.png' END,
    CASE WHEN live = 'storing' THEN now() + interval '9 minutes' END,
    CASE WHEN live = 'storing' THEN 'webhook' END,
    CASE WHEN live = 'storing' THEN 'elsewhere' END
FROM (SELECT number, CAST(:newest AS timestamptz) - interval '5 seconds' AS at,
          (CAST(:projects AS uuid[]))[1 + number % 3] AS project_id,
          CASE WHEN number <= 3000 THEN 'queued' WHEN number <= 3300 THEN 'generating'
               WHEN number <= 3310 THEN 'unconfirmed' WHEN number <= 3320 THEN 'submitting'
               ELSE 'storing' END AS live
      FROM generate_series(1, 3400) number) one

-- live attempts
INSERT INTO attempts (id, job_id, number, provider, intent_at, outcome, task_id)
SELECT overlay(id::text PLACING '9002' FROM 20 FOR 4)::uuid, id, 1, provider, created_at,
    CASE status WHEN 'submitting' THEN NULL WHEN 'unconfirmed' THEN 'unknown' ELSE 'accepted' END,
    task_id
FROM jobs WHERE status IN ('submitting', 'unconfirmed', 'generating', 'storing')

-- live events
INSERT INTO job_events (job_id, seq, type, message, detail)
SELECT id, seq, 'job.queued', 'It went on.', '{}'
FROM jobs, generate_series(1, 2) seq WHERE completed_at IS NULL

-- owed callbacks
INSERT INTO deliveries (id, project_id, batch_id, seq, type, url, origin, body, status, due_at)
SELECT {id:9004}, (CAST(:projects AS uuid[]))[1 + number % 3], gen_random_uuid(), 1,
    'batch.completed', 'http://127.0.0.1:9/down', 'http://' || number % 12 || '.example', '{}',
    'pending', now() + interval '3 hours'
FROM (SELECT number, CAST(:newest AS timestamptz) - interval '5 seconds' AS at
      FROM generate_series(1, 1000) number) one

-- failing hosts
INSERT INTO callback_hosts (project_id, origin, failures, failing_since, probe_at, reason)
SELECT project_id, 'http://' || number || '.example', 100, now() - interval '1 day',
    now() + interval '3 hours', 'answered 503'
FROM unnest(CAST(:projects AS uuid[])) project_id, generate_series(0, 11) number

-- images without thumbnails
UPDATE images SET thumbnail_key = NULL, sidecar_key = NULL, due_at = now() - interval '1 minute'
WHERE id IN (SELECT id FROM images ORDER BY id DESC LIMIT 40)

-- uploads to discard
UPDATE uploads SET expires_at = now() - interval '1 minute'
WHERE id IN (SELECT id FROM uploads ORDER BY id DESC LIMIT 10)

-- removals to discard
UPDATE removals SET due_at = now() - interval '1 minute'
WHERE image_id IN (SELECT image_id FROM removals ORDER BY image_id DESC LIMIT 10)

-- limits
UPDATE projects SET credits_per_day = CASE name WHEN 'middling' THEN 1000000 END,
    retention_days = CASE name WHEN 'silent' THEN greatest(1, CAST(:jobs AS bigint) * :apart / 86400) END
