"""The job as documentation teaches it: Flask, an ORM, requests, boto3, one function for each step.

Four commits a job. What runs a step, and when, is the pipeline's own.
"""

import base64
import hashlib
import json
import os
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import uuid4

import boto3
import requests
from flask import Flask, abort, request
from sqlalchemy import DateTime, Uuid, create_engine, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from pipelines.programs.signing import (
    WEBHOOK_SECRET,
    callback_headers,
    is_caller,
    is_upstream,
)

_TIMEOUT_SECONDS = 30
_engine = create_engine(os.environ["DATABASE_URL"])
_s3 = boto3.client("s3")


class Base(DeclarativeBase):
    """What every model derives from."""


class Job(Base):
    """The record of a job."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(Uuid(as_uuid=False), primary_key=True)
    state: Mapped[str]
    model: Mapped[str]
    input: Mapped[dict[str, Any]] = mapped_column(JSONB)
    callback_url: Mapped[str]
    task_id: Mapped[str | None]
    key: Mapped[str | None]
    sha256: Mapped[str | None]
    bytes: Mapped[int | None]
    updated_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), onupdate=func.now()
    )


def application(begin: Callable[[str], object], end: Callable[[str, str], object]) -> Flask:
    """Return the web application; it calls these with the job's id, and the image's URL."""
    web = Flask(__name__)

    @web.post("/v1/jobs")
    def accept() -> tuple[dict[str, str], int]:
        if not is_caller(request.headers.get("Authorization", "")):
            abort(401)
        asked = request.get_json()
        job_id = str(uuid4())
        with Session(_engine) as session:
            session.add(
                Job(
                    id=job_id,
                    state="accepted",
                    model=asked["model"],
                    input=asked["input"],
                    callback_url=asked["callback_url"],
                )
            )
            session.commit()
        begin(job_id)
        return {"id": job_id}, 202

    @web.post("/webhooks/<job_id>")
    def webhook(job_id: str) -> dict[str, bool]:
        if not is_upstream(request.headers.get("X-Webhook-Secret", "")):
            abort(401)
        end(job_id, request.get_json()["result"]["sample"])
        return {"ok": True}

    return web


def pay(job_id: str) -> None:
    """Have upstream make the image."""
    with Session(_engine) as session:
        job = session.get_one(Job, job_id)
        response = requests.post(
            f"{os.environ['FLUX_API_URL']}/{job.model}",
            json={
                **job.input,
                "webhook_url": f"{os.environ['PUBLIC_URL']}/webhooks/{job_id}",
                "webhook_secret": WEBHOOK_SECRET,
            },
            headers={"x-key": os.environ["FLUX_API_KEY"]},
            timeout=_TIMEOUT_SECONDS,
        )
        response.raise_for_status()
        job.task_id = response.json()["id"]
        job.state = "generating"
        session.commit()


def store(job_id: str, image_url: str) -> None:
    """Copy the image."""
    with Session(_engine) as session:
        job = session.get_one(Job, job_id)
        response = requests.get(image_url, timeout=_TIMEOUT_SECONDS)
        response.raise_for_status()
        sha256 = hashlib.sha256(response.content)
        key = f"jobs/{job_id}.png"
        _s3.put_object(
            Bucket=os.environ["S3_BUCKET"],
            Key=key,
            Body=response.content,
            ContentType="image/png",
            ChecksumSHA256=base64.b64encode(sha256.digest()).decode(),
        )
        job.key = key
        job.sha256 = sha256.hexdigest()
        job.bytes = len(response.content)
        job.state = "succeeded"
        session.commit()


def deliver(job_id: str) -> None:
    """Tell the caller."""
    with Session(_engine) as session:
        job = session.get_one(Job, job_id)
        said = {"id": job_id, "key": job.key, "sha256": job.sha256, "bytes": job.bytes}
        body = json.dumps({"type": "job.succeeded", "data": said}).encode()
        response = requests.post(
            job.callback_url,
            data=body,
            headers=callback_headers(job_id, body),
            timeout=_TIMEOUT_SECONDS,
        )
        response.raise_for_status()
        job.state = "delivered"
        session.commit()
