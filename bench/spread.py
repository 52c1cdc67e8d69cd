"""The product's processes, spread over hosts."""

import asyncio
import contextlib
import os
import shlex
import signal
import sysconfig
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hosts import MIDDLE, NETWORK, Host
from pipelines.darkroom import Darkroom
from pipelines.running import ROOT, START_SECONDS, Caller

from service.embedded.process import Process

_PORT = 8080
_STOP_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Spread:
    """The product, once it answers."""

    url: str
    caller: Caller
    #: As this program reaches it.
    database_url: str


@contextlib.asynccontextmanager
async def spread(
    places: Sequence[Host],
    workers: int,
    *,
    servers: Mapping[str, str],
    upstream_url: str,
    home: Path,
    settings: Mapping[str, str],
) -> AsyncIterator[Spread]:
    """Run web and beat on the first host, and so many workers in turn on all of them.

    `servers` are found on loopback; the hosts find them in the middle.
    """
    url = f"http://{places[0].address}:{_PORT}"
    pipeline = Darkroom(more={"EGRESS_ALLOWED_NETWORKS": NETWORK, **settings})
    common = {
        "HOME": os.environ.get("HOME", "/"),
        "PATH": f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}",
        "FLUX_API_URL": f"{upstream_url}/v1",
        "HOST": places[0].address,
        "PORT": str(_PORT),
        "PUBLIC_URL": url,
    }
    caller = await asyncio.to_thread(
        pipeline.prepare, {**common, **servers, **pipeline.environment(home)}
    )
    reached = {name: value.replace("127.0.0.1", MIDDLE) for name, value in servers.items()}
    commands = pipeline.commands()
    async with contextlib.AsyncExitStack() as started:

        def start(name: str, host: Host, command: Sequence[str]) -> None:
            place = home / host.name
            place.mkdir(parents=True, exist_ok=True)
            process = Process(
                name,
                host.command(command),
                env={**common, **reached, **pipeline.environment(place)},
                cwd=ROOT,
                log=place / f"{name}.log",
            )
            # this loop hands on what they still have to say
            started.push_async_callback(
                asyncio.to_thread, process.stop, signal.SIGTERM, _STOP_SECONDS
            )

        start("web", places[0], commands["web"])
        start("beat", places[0], commands["beat"])
        for number in range(workers):
            # one of a host has a name of its own
            command = shlex.join(commands["worker"]).replace("worker@", f"worker{number}@")
            start(f"worker{number}", places[number % len(places)], shlex.split(command))
        await _until_it_answers(places[0].address)
        yield Spread(url, caller, servers["DATABASE_URL"])


async def _until_it_answers(address: str) -> None:
    give_up_at = time.monotonic() + START_SECONDS
    while True:
        try:
            _, writer = await asyncio.open_connection(address, _PORT)
        except OSError:
            if time.monotonic() > give_up_at:
                raise
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
