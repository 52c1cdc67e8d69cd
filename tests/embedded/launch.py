"""A launcher for the tests to kill: `python launch.py servers HOME`, `… supervisor PROCFILE`.

It prints a line once all is under way, and goes on until it is stopped.
"""

import json
import os
import signal
import sys
from pathlib import Path

from service.embedded.stack import stack
from service.embedded.supervisor import Supervisor, read_procfile

#: No simulator: the tests of the launcher have nothing to ask it.
WITHOUT_FLUX = {"FLUX_API_URL": "http://127.0.0.1:9/v1"}


def _servers(home: Path) -> None:
    with stack(home, WITHOUT_FLUX) as environment:
        # held back first: a signal that came just before a `pause()` would be waited for in vain
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        sys.stdout.write(json.dumps(environment) + "\n")
        sys.stdout.flush()
        signal.sigwait({signal.SIGINT})


def _supervisor(procfile: Path) -> None:
    with Supervisor(read_procfile(procfile), os.environ, procfile.parent) as supervisor:
        supervisor.release()
        supervisor.run()
    sys.stdout.write("stopped\n")


if __name__ == "__main__":
    {"servers": _servers, "supervisor": _supervisor}[sys.argv[1]](Path(sys.argv[2]))
