"""What this process has under way for each host, and how much each can take."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from service.steps.deliver.tries import Host, Run, Try

#: Callbacks that go one after the other in a place: of a host that is not known yet, and at most.
FIRST_RUN = 4
MAX_RUN = 64
#: Hosts whose pace is remembered; beyond that all are learnt anew.
MAX_KNOWN = 1000


@dataclass
class Busy:
    """The runs under way, and the pace of hosts: how many callbacks the next run should have."""

    runs: list[Run] = field(default_factory=list)
    paces: dict[Host, int] = field(default_factory=dict)

    def begin(self, claimed: Iterable[Run]) -> None:
        """Take places."""
        self.runs.extend(claimed)

    def end(self, ended: Sequence[tuple[Run, Sequence[Try]]]) -> None:
        """Free their places; a host that kept up gets twice as much, a slow one what it took."""
        self.runs[:] = [run for run in self.runs if all(run is not one for one, _ in ended)]
        if len(self.paces) > MAX_KNOWN:
            self.paces.clear()
        for run, tries in ended:
            if len(tries) < len(run.owed):
                self.paces[run.host] = max(1, len(tries))
            elif len(tries) >= self.paces.get(run.host, FIRST_RUN):
                self.paces[run.host] = min(MAX_RUN, 2 * len(tries))

    def places(self) -> Counter[Host]:
        """Return how many places each host has taken."""
        return Counter(run.host for run in self.runs)

    def known(self) -> Mapping[str, Sequence[object]]:
        """Return what is known of hosts, as the parameters of the claim."""
        places = self.places()
        hosts = [*places.keys() | self.paces.keys()]
        return {
            "known_projects": [project_id for project_id, _ in hosts],
            "known_origins": [origin for _, origin in hosts],
            "known_places": [places[host] for host in hosts],
            "known_paces": [self.paces.get(host, FIRST_RUN) for host in hosts],
        }
