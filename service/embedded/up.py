"""`darkroom up`: the whole service on a bare machine, from one command to a first image."""

import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from service.embedded.process import StartFailed, stop_signals
from service.embedded.stack import stack
from service.embedded.supervisor import Supervisor, read_procfile
from service.embedded.welcome import Welcome, addresses, set_aside
from service.settings import Provider, SettingsError, load_settings

_ROOT = Path(__file__).parents[2]
_DEFAULT_HOME = ".darkroom"


def up() -> int:
    """Start what the environment lacks, migrate, run the Procfile, and serve until Ctrl-C.

    Call it from the main thread. Returns the exit code.
    """
    for number in stop_signals():
        signal.signal(number, signal.default_int_handler)  # unwind, even in the background
    try:
        _serve(Path(os.environ.get("DARKROOM_HOME") or _DEFAULT_HOME))
    except KeyboardInterrupt:
        print("Stopped before it was ready.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the terminal is gone, or the program that read our output
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (StartFailed, OSError) as error:
        print(f"darkroom: {error}", file=sys.stderr)
        return 1
    return 0


def _check(environment: Mapping[str, str]) -> None:
    """Name a wrong variable before anything depends on it.

    Raises:
        StartFailed: the processes of the Procfile would not start.
    """
    os.environ.update(environment)
    try:
        load_settings()
    except SettingsError as error:
        raise StartFailed(f"a setting is wrong:\n{error}") from None


def _serve(home: Path) -> None:
    providers = os.environ.get("FLUX_PROVIDER") or Provider.SIMULATOR
    if not {name.strip() for name in providers.split(",")} <= set(Provider):
        # else the simulator would stand in for whatever was meant
        raise StartFailed(f"FLUX_PROVIDER: one of {', '.join(Provider)}")
    commands = read_procfile(_ROOT / "Procfile")
    began = time.monotonic()
    print(f"Darkroom   {home.absolute()}", flush=True)
    with stack(home) as environment:
        set_aside(Path(environment["DARKROOM_HOME"]))
        # Celery's advice to root is for production; here it would bury the first job
        environment.setdefault("PYTHONWARNINGS", "ignore:You're running the worker with superuser")
        print("\n".join(addresses(environment)))
        print(f"Servers    ready in {time.monotonic() - began:.1f} s\n", flush=True)
        failures: list[StartFailed] = []
        _check(environment)
        with Supervisor(commands, environment, _ROOT) as supervisor:
            supervisor.release()
            welcome = threading.Thread(
                target=_welcome, args=(environment, supervisor, failures), daemon=True
            )
            welcome.start()
            supervisor.run()
    if failures:
        raise failures[0]
    print("Stopped", flush=True)


def _welcome(
    environment: dict[str, str], supervisor: Supervisor, failures: list[StartFailed]
) -> None:
    try:
        Welcome(environment, is_stopping=lambda: supervisor.stopping).run()
    except StartFailed as error:
        if not supervisor.stopping:
            failures.append(error)
            supervisor.request_stop()
