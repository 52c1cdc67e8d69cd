"""What can be known about a run from outside: ledger, sink, bucket, and the API after healing."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import boto3
import urllib3
from botocore.exceptions import BotoCoreError, ClientError
from chaos.callers import Answers
from chaos.plan import Order
from chaos.sink import Heard

Document = dict[str, Any]

_ALIVE = ("queued", "submitting", "unconfirmed", "generating", "storing")


class NotYet(Exception):
    """The API does not answer; a service that heals will."""


@dataclass(frozen=True)
class Evidence:
    """All that the checker judges by; nothing in it comes from inside the service."""

    orders: Sequence[Order]
    answers: Mapping[str, Answers]
    #: Every job that any project's list shows, by id.
    jobs: Mapping[str, Document]
    #: The timeline of each job, by its id.
    events: Mapping[str, Sequence[Document]]
    #: The simulator's lines.
    ledger: Sequence[Document]
    max_active_seen: int
    slots: int
    heard: Sequence[Heard]
    #: SHA-256 by key of every object that a job names.
    objects: Mapping[str, str] = field(default_factory=dict)
    #: Files that still wait on the service's disk for its servers.
    staged: Sequence[str] = ()
    #: Submissions that upstream refused in words which leave open whether it did, unplanned.
    refused_unclearly: int = 0


class Api:
    """Reads the public API with each project's key."""

    def __init__(self, url: str, keys: Mapping[str, str], created_after: str = "") -> None:
        self._url = url
        self.keys = keys
        self._created_after = f"&created_after={created_after}" if created_after else ""
        self._http = urllib3.PoolManager(retries=urllib3.Retry(3, backoff_factor=0.2), timeout=10)

    def since(self, moment: datetime) -> "Api":
        """Return the same, blind for the jobs of before."""
        return Api(self._url, self.keys, quote(moment.isoformat()))

    def get(self, project: str, path: str) -> Document:
        """Return one answer.

        Raises:
            NotYet: there was none, or no good one.
        """
        headers = {"Authorization": f"Bearer {self.keys[project]}"}
        try:
            answer = self._http.request("GET", self._url + path, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            raise NotYet(f"{path}: {type(error).__name__}") from error
        if answer.status != 200:
            raise NotYet(f"{path}: {answer.status} {answer.data[:300]!r}")
        found: Document = answer.json()
        return found

    def alive(self) -> bool:
        """Say whether any job is still on its way."""
        if any(
            self.get(project, f"/v1/jobs?limit=1&status={status}")["data"]
            for project in self.keys
            for status in _ALIVE
        ):
            return True
        # one that Flux refuses again and again may have changed its state between the questions
        return any(job["status"] in _ALIVE for job in self.jobs().values())

    def calling(self) -> bool:
        """Say whether the service itself knows of a callback that it still has to make."""
        callbacks = (job["callback"] for job in self.jobs().values())
        return any(one is not None and one["status"] == "pending" for one in callbacks)

    def jobs(self) -> dict[str, Document]:
        """Return every job of every project, with its project under `project`."""
        return {
            job["id"]: {**job, "project": project}
            for project in self.keys
            for job in self._listed(project)
        }

    def _listed(self, project: str) -> Iterator[Document]:
        cursor = ""
        for _ in range(1_000):
            page = self.get(project, f"/v1/jobs?limit=200{self._created_after}{cursor}")
            yield from page["data"]
            if page["next"] is None:
                return
            cursor = f"&cursor={page['next']}"

    def events(self, jobs: Mapping[str, Document]) -> dict[str, list[Document]]:
        """Return the timelines of jobs."""

        def one(job_id: str) -> list[Document]:
            found: list[Document] = self.get(jobs[job_id]["project"], f"/v1/jobs/{job_id}/events")[
                "data"
            ]
            return found

        with ThreadPoolExecutor(4) as threads:
            return dict(zip(jobs, threads.map(one, jobs), strict=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.clear()


def staged(home: Path) -> list[str]:
    """Return what waits in the service's spool; unfinished downloads do not count."""
    spool = home / "spool"
    kinds = ("*/*.result", "*/*.webhook")
    return sorted(str(path.relative_to(spool)) for kind in kinds for path in spool.glob(kind))


def stored(s3: Mapping[str, str], jobs: Mapping[str, Document]) -> dict[str, str]:
    """Read every image that a job names out of the bucket; return SHA-256 by key."""
    client = boto3.client(
        "s3",
        endpoint_url=s3["AWS_ENDPOINT_URL_S3"],
        aws_access_key_id=s3["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=s3["AWS_SECRET_ACCESS_KEY"],
        region_name=s3["AWS_DEFAULT_REGION"],
    )
    places = {image["key"]: image["bucket"] for job in jobs.values() for image in job["images"]}

    def one(key: str) -> str:
        try:
            body = client.get_object(Bucket=places[key], Key=key)["Body"].read()
        except (ClientError, BotoCoreError) as error:
            return type(error).__name__
        return hashlib.sha256(body).hexdigest()

    try:
        with ThreadPoolExecutor(4) as threads:
            return dict(zip(places, threads.map(one, places), strict=True))
    finally:
        client.close()
