"""Puts the whole run under audit: pytest itself, xdist's workers, and what any of them starts."""

import os
import tempfile
from pathlib import Path

import pytest
from egress import audit


class Report:
    """Fails the run at its end if a key went anywhere but to its own upstream."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if audit.leaks(self._file):
            # Not the status of a failed test: no second try may make up for a leak.
            session.exitstatus = pytest.ExitCode.INTERRUPTED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.write_line(f"egress: {audit.summary(self._file)}")
        for peer, key in audit.leaks(self._file):
            terminalreporter.write_line(f"egress: {key} went to {peer}, not its upstream", red=True)


def pytest_configure(config: pytest.Config) -> None:
    """Begin, unless a process above this one has: then it began before pytest did."""
    if audit.VARIABLE in os.environ:
        return
    folder = tempfile.TemporaryDirectory(prefix="darkroom-egress-")
    config.add_cleanup(folder.cleanup)
    file = Path(folder.name) / "audit.jsonl"
    file.touch()
    os.environ.update(audit.variables(file))
    audit.install()
    config.pluginmanager.register(Report(file))
