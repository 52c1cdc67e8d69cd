"""The steps that callers set off, and what they may ask for."""

from functools import cached_property

from service.clients.spool import ResultSpool
from service.gate import ACCOUNT, Probes, Slots
from service.generation import CATALOGUE
from service.keys import Keys
from service.projects import Projects
from service.rates import Rates
from service.steps.browse import Browse, Facets, Matching, Wall
from service.steps.enqueue import Batches, Enqueue, Letters, Together
from service.steps.explain import Explain
from service.steps.label import Label
from service.steps.tally import Tally
from service.steps.upload import Upload
from service.wiring.calling import Calling


class Asking(Calling):
    """Everything that begins with a request."""

    @cached_property
    def keys(self) -> Keys:
        """Projects and API keys."""
        return Keys(self.database)

    @cached_property
    def rates(self) -> Rates:
        """Requests per minute."""
        return Rates(self.database)

    @cached_property
    def projects(self) -> Projects:
        """What projects may do."""
        return Projects(self.database)

    @cached_property
    def enqueue(self) -> Enqueue:
        """Step: enqueue."""
        return Enqueue(
            CATALOGUE,
            self.guard,
            self.inputs,
            self._providers,
            self.database,
            self.moves,
            self.settings.on_unconfirmed,
        )

    @cached_property
    def batches(self) -> Batches:
        """Step: enqueue, many at once."""
        return Batches(self.enqueue)

    @cached_property
    def together(self) -> Together:
        """Step: enqueue, many jobs withdrawn or tried again together."""
        return Together(self.enqueue)

    @cached_property
    def letters(self) -> Letters:
        """Step: enqueue, over the broker."""
        return Letters(self.enqueue)

    @cached_property
    def tally(self) -> Tally:
        """Step: tally."""
        return Tally(self.database)

    @cached_property
    def upload(self) -> Upload:
        """Step: upload."""
        spool = ResultSpool(self.settings.spool_dir / "uploads", self.settings.spool_max_bytes)
        lifetime = self.settings.upload_lifetime_seconds
        return Upload(self.database, spool, self.uploads, lifetime)

    @cached_property
    def label(self) -> Label:
        """Step: label."""
        return Label(self.database)

    @cached_property
    def browse(self) -> Browse:
        """Step: browse."""
        return Browse(self.database)

    @cached_property
    def matching(self) -> Matching:
        """Step: browse, the jobs that a filter finds together."""
        return Matching(self.database)

    @cached_property
    def explain(self) -> Explain:
        """Step: explain."""
        return Explain(self.database, self._limits, self._probes)

    @property
    def _limits(self) -> Slots:
        """Tasks that each provider may hold of us, in all and of the models with their own."""
        own_slots = {model.pool: model.max_active for model in CATALOGUE.models.values()}
        return own_slots | {ACCOUNT: self.settings.flux_max_active}

    @property
    def _probes(self) -> Probes:
        """How often a closed gate is tried."""
        return Probes(self.settings.breaker_probe_seconds, self.settings.account_probe_seconds)

    @cached_property
    def facets(self) -> Facets:
        """Step: browse, by what images can be narrowed."""
        return Facets(self.database)

    @cached_property
    def wall(self) -> Wall:
        """Step: browse, what is under way."""
        return Wall(self.database)
