// The job in Node: its own HTTP server, a BullMQ queue with a job for every step, pg, the AWS SDK.
// Web and worker share one process, as the leanest deployment has them.

import { createHash, createHmac, randomUUID, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import pg from "pg";

const { env } = process;
const STEPS_AT_A_TIME = 16;
const callbackKey = Buffer.from(env.PEER_SECRET.replace("whsec_", ""), "base64");
const rows = new pg.Pool({ connectionString: env.DATABASE_URL.replace("+psycopg", ""), max: 16 });
const s3 = new S3Client({ region: env.AWS_DEFAULT_REGION, forcePathStyle: true });
// BullMQ asks for this: a worker waits for its broker for as long as that is away
const connection = new Redis(env.CELERY_BROKER_URL, { maxRetriesPerRequest: null });
const queue = new Queue("steps", { connection });

/** Run a statement, prepared under its name, and commit it. */
const run = async (name, text, ...values) => (await rows.query({ name, text, values })).rows[0];

const isSame = (said, secret) => {
  const [left, right] = [Buffer.from(said ?? ""), Buffer.from(secret)];
  return left.length === right.length && timingSafeEqual(left, right);
};

const post = async (url, headers, body) => {
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body,
  });
  const answer = await response.text();
  if (!response.ok) throw new Error(`${url}: ${response.status} ${answer}`);
  return answer;
};

const steps = {
  async pay({ id }) {
    const job = await run(
      "submitting",
      "UPDATE jobs SET state = 'submitting', updated_at = now() WHERE id = $1 RETURNING model, input",
      id,
    );
    const order = {
      ...job.input,
      webhook_url: `${env.PUBLIC_URL}/webhooks/${id}`,
      webhook_secret: env.WEBHOOK_SECRET,
    };
    const headers = { "x-key": env.FLUX_API_KEY };
    const answer = await post(`${env.FLUX_API_URL}/${job.model}`, headers, JSON.stringify(order));
    // the webhook may have been first
    await run(
      "generating",
      `UPDATE jobs SET task_id = $2, updated_at = now(),
       state = CASE state WHEN 'submitting' THEN 'generating' ELSE state END WHERE id = $1`,
      id,
      JSON.parse(answer).id,
    );
  },

  async store({ id, imageUrl }) {
    await run("storing", "UPDATE jobs SET state = 'storing', updated_at = now() WHERE id = $1", id);
    const response = await fetch(imageUrl);
    if (!response.ok) throw new Error(`${imageUrl}: ${response.status}`);
    const image = Buffer.from(await response.arrayBuffer());
    const sha256 = createHash("sha256").update(image).digest();
    const key = `jobs/${id}.png`;
    await s3.send(
      new PutObjectCommand({
        Bucket: env.S3_BUCKET,
        Key: key,
        Body: image,
        ContentType: "image/png",
        ChecksumSHA256: sha256.toString("base64"),
      }),
    );
    await run(
      "succeeded",
      `UPDATE jobs SET state = 'succeeded', key = $2, sha256 = $3, bytes = $4, updated_at = now()
       WHERE id = $1`,
      id,
      key,
      sha256.toString("hex"),
      image.length,
    );
    await queue.add("deliver", { id }, { removeOnComplete: true });
  },

  async deliver({ id }) {
    const job = await run(
      "told",
      "SELECT callback_url, key, sha256, bytes FROM jobs WHERE id = $1",
      id,
    );
    const said = { id, key: job.key, sha256: job.sha256, bytes: Number(job.bytes) };
    const body = JSON.stringify({ type: "job.succeeded", data: said });
    const timestamp = String(Math.floor(Date.now() / 1000));
    const proof = createHmac("sha256", callbackKey).update(`${id}.${timestamp}.${body}`);
    const headers = {
      "webhook-id": id,
      "webhook-timestamp": timestamp,
      "webhook-signature": `v1,${proof.digest("base64")}`,
    };
    await post(job.callback_url, headers, body);
    await run(
      "delivered",
      "UPDATE jobs SET state = 'delivered', updated_at = now() WHERE id = $1",
      id,
    );
  },
};

const accept = async (headers, asked) => {
  if (!isSame(headers.authorization, `Bearer ${env.API_KEY}`)) return [401, {}];
  const id = randomUUID();
  await run(
    "accepted",
    "INSERT INTO jobs (id, state, model, input, callback_url) VALUES ($1, 'accepted', $2, $3, $4)",
    id,
    asked.model,
    asked.input,
    asked.callback_url,
  );
  await queue.add("pay", { id }, { removeOnComplete: true });
  return [202, { id }];
};

const hear = async (headers, id, said) => {
  if (!isSame(headers["x-webhook-secret"], env.WEBHOOK_SECRET)) return [401, {}];
  await queue.add("store", { id, imageUrl: said.result.sample }, { removeOnComplete: true });
  return [200, {}];
};

new Worker("steps", (step) => steps[step.name](step.data), {
  connection,
  concurrency: STEPS_AT_A_TIME,
}).on("failed", (step, error) => console.error(step?.name, error));

createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = JSON.parse(Buffer.concat(chunks));
  const [status, answer] = await (request.url === "/v1/jobs"
    ? accept(request.headers, body)
    : hear(request.headers, request.url.split("/").pop(), body));
  const text = JSON.stringify(answer);
  response.writeHead(status, {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(text),
  });
  response.end(text);
}).listen(Number(env.PORT), "127.0.0.1");
