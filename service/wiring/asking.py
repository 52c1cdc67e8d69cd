"""The steps that callers set off, and what they may ask for."""

from functools import cached_property

from service.clients.spool import ResultSpool
from service.generation import CATALOGUE
from service.keys import Keys
from service.projects import Projects
from service.rates import Rates
from service.steps.browse import Browse, Facets, Wall
from service.steps.enqueue import Batches, Enqueue, Letters
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
    def facets(self) -> Facets:
        """Step: browse, by what images can be narrowed."""
        return Facets(self.database)

    @cached_property
    def wall(self) -> Wall:
        """Step: browse, what is under way."""
        return Wall(self.database)
