"""Watches the whole run: no secret may be in a log, a command line, an error or the broker."""

import os
import tempfile
from pathlib import Path

import pytest
from secrecy import witness


class Report:
    """Fails the run at its end if a secret was said."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.spilt = witness.spilt(self._folder)
        if self.spilt:
            # Not the status of a failed test: no second try may make up for it.
            session.exitstatus = pytest.ExitCode.INTERRUPTED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.write_line(f"secrecy: {witness.summary(self._folder)}")
        for secret in self.spilt:
            terminalreporter.write_line(f"secrecy: {secret} was said", red=True)


def pytest_configure(config: pytest.Config) -> None:
    """Begin, unless a process above this one has."""
    if witness.VARIABLE in os.environ:
        return
    folder = tempfile.TemporaryDirectory(prefix="darkroom-secrecy-")
    config.add_cleanup(folder.cleanup)
    for file in (witness.SECRETS, witness.SAID):
        (Path(folder.name) / file).touch()
    os.environ[witness.VARIABLE] = folder.name
    witness.install()
    config.pluginmanager.register(Report(Path(folder.name)))
