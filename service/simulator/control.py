"""The control endpoint: what tests read and set while the simulator runs."""

import json
from dataclasses import asdict

from service.simulator.api import FluxApi
from service.simulator.faults import FAULTS, Rules
from service.simulator.ledger import Ledger
from service.simulator.wire import Reply, Request, detail, json_reply


class Control:
    """Answers requests under `/control/`; a wrong one is 422 and changes nothing."""

    def __init__(self, api: FluxApi, rules: Rules, ledger: Ledger) -> None:
        self._api = api
        self._rules = rules
        self._ledger = ledger

    def show_ledger(self, request: Request) -> Reply:
        """Return counts by kind, the sum spent, and the lines, of one `kind` if asked."""
        kind = request.query.get("kind")
        lines = [line for line in self._ledger.lines() if kind in {None, line["kind"]}]
        spent = self._ledger.spent_credits
        counts = dict(self._ledger.counts)
        return json_reply(200, {"counts": counts, "spent_credits": spent, "lines": lines})

    def show_state(self, _request: Request) -> Reply:
        """Return what is going on; cheap enough to be polled."""
        tasks = self._api.tasks
        submissions = {"received": self._api.received, "refused": self._api.refused}
        return json_reply(
            200,
            {
                "active": tasks.active,
                "max_active_seen": tasks.max_active_seen,
                "max_active_seen_by_model": tasks.max_active_seen_by_model,
                "submissions": submissions,
                "keys_seen": self._api.keys_seen,
                "counts": self._ledger.counts,
                "settings": asdict(self._api.settings),
                "faults": self._rules.listed(),
            },
        )

    def change_settings(self, request: Request) -> Reply:
        """Change the settings named in the body, for tasks accepted from now on."""
        try:
            self._api.settings = self._api.settings.changed(_object(request))
        except ValueError as problem:
            return detail(422, str(problem))
        return json_reply(200, asdict(self._api.settings))

    def add_fault(self, request: Request) -> Reply:
        """Add a rule; the answer to a wrong one names the faults there are."""
        try:
            self._rules.add(_object(request))
        except ValueError as problem:
            return detail(422, f"{problem} (faults: {', '.join(FAULTS)})")
        return json_reply(201, self._rules.listed())

    def clear_faults(self, _request: Request) -> Reply:
        """Drop all rules."""
        self._rules.clear()
        return Reply(204)


def _object(request: Request) -> dict[str, object]:
    content = json.loads(request.body)
    if not isinstance(content, dict):
        raise ValueError("the body must be an object")  # noqa: TRY004 - one kind of refusal
    return content
