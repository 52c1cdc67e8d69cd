"""How fast pictures come as a zip, how much memory it takes, and who waits for it.

Starts servers and one web process of its own in a temporary folder, stores pictures of noise, and
fetches them as one zip, twice: the first warms the process up. Meanwhile somebody else asks for the
list of images again and again. Prints figures as JSON, sizes in MB, times in ms. Linux only.

    python bench/zips.py --images 200 --kilobytes 1500
"""

import argparse
import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID, uuid4

import urllib3
from sqlalchemy import insert, select

from service.embedded.postgres import Postgres
from service.embedded.seaweedfs import SeaweedFS
from service.embedded.stack import running
from service.embedded.state import free_ports
from service.embedded.valkey import Valkey
from service.ids import Kind, new_id, public_id
from service.keys import NewKey
from service.logs import configure_logs
from service.models import Project, images
from service.settings import load_settings
from service.steps.enqueue import JobRequest
from service.wiring import Wiring

ROOT = Path(__file__).parents[1]
START_SECONDS = 30.0
PIECE_BYTES = 1_048_576


@dataclass(frozen=True)
class Web:
    """The web process, and a person's way to it."""

    url: str
    process_id: int
    http: urllib3.PoolManager

    def log_in(self, api_key: str) -> tuple[dict[str, str], str]:
        """Return a person's cookie and the token of their forms."""
        form = urlencode({"api_key": api_key})
        typed = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = self.http.request(
            "POST", f"{self.url}/login", body=form, headers=typed, redirect=False
        )
        cookie = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
        page = self.http.request("GET", self.url, headers=cookie).data.decode()
        found = re.search(r'name="form_token" value="([^"]+)"', page)
        if found is None:
            sys.exit("nobody is logged in")
        return {**cookie, **typed}, found[1]

    def resident_mb(self) -> float:
        """Return what the process holds of the memory now."""
        text = Path(f"/proc/{self.process_id}/status").read_text(encoding="ascii")
        return round(int(re.findall(r"VmRSS:\s+(\d+)", text)[0]) / 1000, 1)


def main() -> None:
    """Run it and print the figures."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--images", type=int, default=200)
    arguments.add_argument("--kilobytes", type=int, default=1500)
    wanted = arguments.parse_args()
    configure_logs("warning")
    with (
        tempfile.TemporaryDirectory(prefix="darkroom-zips-") as folder,
        service(Path(folder)) as (
            wiring,
            web,
        ),
    ):
        key = wiring.keys.create("zips")
        ids = stored(wiring, key, wanted.images, wanted.kilobytes * 1000)
        headers, token = web.log_in(key.api_key)
        body = urlencode([("form_token", token), *(("image", one) for one in ids)])
        file = Path(folder) / "all.zip"
        cold = web.resident_mb()
        fetch(web, headers, body, file)
        before = web.resident_mb()
        figures = fetch_watched(web, headers, body, file, key)
        with zipfile.ZipFile(file) as read:
            is_sound = read.testzip() is None and len(read.namelist()) == wanted.images + 1
    figures |= {"zip_is_sound": is_sound, "before_the_first": cold, "before": before}
    figures["growth"] = round(figures["peak"] - before, 1)
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.exit(not is_sound)


def fetch_watched(
    web: Web, headers: dict[str, str], body: str, file: Path, key: NewKey
) -> dict[str, float]:
    """Fetch the zip while somebody looks at the process and asks it for something else."""
    peaks, waits = [web.resident_mb()], [0.0]
    has_ended = threading.Event()

    def watch() -> None:
        bearer = {"Authorization": f"Bearer {key.api_key}"}
        while not has_ended.is_set():
            began = time.monotonic()
            web.http.request("GET", f"{web.url}/v1/images?limit=1", headers=bearer)
            waits.append(time.monotonic() - began)
            peaks.append(web.resident_mb())
            has_ended.wait(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.monotonic()
    size = fetch(web, headers, body, file)
    seconds = time.monotonic() - began
    has_ended.set()
    watcher.join()
    waits.sort()
    return {
        "megabytes": round(size / 1e6, 1),
        "seconds": round(seconds, 2),
        "megabytes_per_second": round(size / 1e6 / seconds, 1),
        "peak": max(peaks),
        "others_p50_ms": round(1000 * waits[len(waits) // 2], 1),
        "others_p95_ms": round(1000 * waits[int(len(waits) * 0.95)], 1),
    }


def fetch(web: Web, headers: dict[str, str], body: str, file: Path) -> int:
    """Fetch the zip into a file, and return its size in bytes."""
    answer = web.http.request(
        "POST", f"{web.url}/images.zip", body=body, headers=headers, preload_content=False
    )
    with file.open("wb") as kept:
        for piece in answer.stream(PIECE_BYTES):
            kept.write(piece)
    return file.stat().st_size


def stored(wiring: Wiring, key: NewKey, count: int, size_bytes: int) -> list[str]:
    """Store pictures of noise, of one job each, and return their ids."""
    with wiring.database.transaction() as tx:
        project_id: UUID = tx.scalar(select(Project.id).where(Project.name == key.project))
    ids = []
    for number in range(count):
        content, image_id = os.urandom(size_bytes), new_id()
        given = {"prompt": f"noise, number {number}"}
        request = JobRequest(model="flux-2-pro", input=given, sha256=uuid4().bytes * 2)
        row = {
            "id": image_id,
            "project_id": project_id,
            "job_id": wiring.enqueue.accept(project_id, request).row.id,
            "bucket": wiring.settings.s3_bucket,
            "key": f"zips/{number}.png",
            "content_type": "image/png",
            "width": 1024,
            "height": 1024,
            "bytes": size_bytes,
            "sha256": hashlib.sha256(content).hexdigest(),
            "model": "flux-2-pro",
            "prompt": given["prompt"],
        }
        wiring.object_store.put_bytes(row["key"], content, "image/png")
        with wiring.database.transaction() as tx:
            tx.execute(insert(images).values(row))
        ids.append(public_id(Kind.IMAGE, image_id))
    return ids


@contextlib.contextmanager
def service(home: Path) -> Iterator[tuple[Wiring, Web]]:
    """Yield a wiring on servers of its own, and a web process of one worker."""
    home.chmod(0o755)  # a server that must not be root reaches its data only through open doors
    (port,) = free_ports()
    with contextlib.ExitStack() as started:
        found = started.enter_context(
            running(
                SeaweedFS(home / "s3", home / "s3.log", bucket="images"),
                Valkey(home / "valkey", home / "valkey.log", durable=False),
                Postgres(home / "postgres", home / "postgres.log", durable=False),
            )
        )
        os.environ |= found | {
            "SECRET_KEY": uuid4().hex,
            "PORT": str(port),
            "FLUX_API_URL": "http://127.0.0.1:9/v1",
            "EGRESS_ALLOWED_NETWORKS": "127.0.0.0/8",
            "DARKROOM_HOME": str(home),
        }
        module = [sys.executable, "-m"]
        subprocess.run([*module, "alembic", "upgrade", "head"], cwd=ROOT, check=True)
        command = "gunicorn service.web.wsgi:app -w 1 --config service/web/gunicorn_conf.py"
        log = started.enter_context((home / "web.log").open("wb"))
        program = started.enter_context(
            subprocess.Popen([*module, *command.split()], cwd=ROOT, stdout=log, stderr=log)
        )
        started.callback(program.terminate)
        wiring = Wiring(load_settings())
        started.callback(wiring.close)
        http = urllib3.PoolManager(maxsize=2, retries=False, timeout=60)
        yield wiring, Web(f"http://127.0.0.1:{port}", worker_of(program, port, http), http)


def worker_of(program: "subprocess.Popen[bytes]", port: int, http: urllib3.PoolManager) -> int:
    """Return the process that answers, once it does."""
    give_up_at = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up_at:
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            http.request("GET", f"http://127.0.0.1:{port}/healthz")
            children = Path(f"/proc/{program.pid}/task/{program.pid}/children")
            return int(children.read_text(encoding="ascii").split()[0])
        time.sleep(0.1)
    sys.exit("the web process does not answer")


if __name__ == "__main__":
    main()
