"""Bells: a worker's lanes are rung by the processes of its host without the broker.

A worker's bell is a pipe with a name, in a folder that the processes of a host share. Who rings
opens it and writes the message's name. That no process reads a pipe any more the kernel says at
once: nobody waits for the dead, nor for one that was stopped and leaves its rings unread.
"""

import contextlib
import errno
import fcntl
import itertools
import os
import stat
import sys
import termios
import threading
from pathlib import Path

from service.database import Ring
from service.ids import new_id
from service.logs import get_log
from service.messages import Message

#: What runs in every io worker. All else goes to whoever takes it from the broker.
LANES = frozenset({Message.SUBMIT, Message.POLL, Message.STORE, Message.DELIVER})
#: Sixteen rings or so: who leaves more unread is stopped, or too busy to be rung.
MOST_UNREAD_BYTES = 256
#: All that a pipe holds.
_PIPE_BYTES = 65_536

_LANE_OF = {message.value.encode(): message for message in LANES}

log = get_log(__name__)


class Bell:
    """The bell of one worker."""

    def __init__(self, folder: Path, ring: Ring) -> None:
        """Prepare a bell that sounds by `ring`; `hang()` lets others find it."""
        self._path = folder / new_id().hex
        self._ring = ring

    def hang(self) -> None:
        """Let processes of this host ring; where there can be no bell they use the broker."""
        # seen by others only once it is read: they remove what nobody reads
        unread = self._path.with_name(f".{self._path.name}")
        try:
            unread.parent.mkdir(parents=True, exist_ok=True)
            os.mkfifo(unread, 0o600)
            # for writing too: without any writer a pipe would be at its end
            pipe = os.open(unread, os.O_RDWR)
            unread.rename(self._path)
        except OSError as error:
            log.warning("bell_missing", reason=str(error))
            return
        threading.Thread(target=self._listen, args=[pipe], name="bell", daemon=True).start()

    def take_down(self) -> None:
        """Let nobody find it any more; whoever is just ringing is still heard."""
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _listen(self, pipe: int) -> None:
        while True:
            for line in set(os.read(pipe, _PIPE_BYTES).split(b"\n")):
                if line in _LANE_OF:
                    self._ring(_LANE_OF[line])


class Bells:
    """Rings one worker of this host, and over the broker only if none here hears it."""

    def __init__(self, folder: Path, broker: Ring) -> None:
        self._folder = folder
        self._broker = broker
        self._turns = itertools.count()

    def __call__(self, message: Message) -> None:
        """Ring once; never raises, never waits."""
        if message not in LANES or not self._is_heard(message):
            self._broker(message)

    def _is_heard(self, message: Message) -> bool:
        try:
            bells = sorted(path for path in self._folder.iterdir() if path.name[0] != ".")
        except OSError:
            # no worker was ever here, or it runs as somebody else
            return False
        first = next(self._turns) % max(1, len(bells))
        line = message.value.encode() + b"\n"
        return any(_sounds(bell, line) for bell in bells[first:] + bells[:first])


def _sounds(path: Path, line: bytes) -> bool:
    """Ring one bell, if its worker is there to hear it."""
    try:
        pipe = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ENXIO:
            # it has ended, and no other will have its name
            with contextlib.suppress(OSError):
                path.unlink()
        return False
    try:
        return _may_be_rung(pipe) and os.write(pipe, line) == len(line)
    except OSError:
        return False
    finally:
        os.close(pipe)


def _may_be_rung(pipe: int) -> bool:
    # a file may stand there that came from a backup
    if not stat.S_ISFIFO(os.fstat(pipe).st_mode):
        return False
    unread = fcntl.ioctl(pipe, termios.FIONREAD, bytes(4))
    return int.from_bytes(unread, sys.byteorder) < MOST_UNREAD_BYTES
