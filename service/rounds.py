"""What a worker does again and again by itself, whoever rings it and whether or not anybody does.

Each round has a thread of its own: one that hangs on a dead peer delays no other.
"""

import threading
from collections.abc import Callable, Mapping

from service.errors import DatabaseUnavailable
from service.logs import get_log

#: Seconds from the end of one time to the beginning of the next, and what is done each time.
Round = tuple[float, Callable[[], object]]

log = get_log(__name__)


class Rounds:
    """The rounds of one process, by name; they begin with `start()`, each at once."""

    def __init__(self, rounds: Mapping[str, Round]) -> None:
        self._rounds = rounds
        self._stopping = threading.Event()

    def start(self) -> None:
        """Begin. The threads are daemons: none keeps a process that ends."""
        for name, (every_seconds, act) in self._rounds.items():
            threading.Thread(
                target=self._run, args=[name, every_seconds, act], name=f"round-{name}", daemon=True
            ).start()

    def stop(self) -> None:
        """Begin nothing more; waits for nobody."""
        self._stopping.set()

    def _run(self, name: str, every_seconds: float, act: Callable[[], object]) -> None:
        while not self._stopping.is_set():
            try:
                act()
            except DatabaseUnavailable as error:
                log.warning("round_waits_for_database", round=name, reason=str(error))
            except Exception:
                log.exception("round_crashed", round=name)
            self._stopping.wait(every_seconds)
