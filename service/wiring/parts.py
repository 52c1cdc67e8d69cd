"""What steps are made of: database, clients, signers, documents."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from service.bells import Bell, Bells
from service.clients.flux import PROVIDERS, FluxClient, Upstreams
from service.clients.object_store import ObjectStore
from service.clients.outbound import AddressGuard, Outbound
from service.clients.spool import ResultSpool
from service.database import Database, Ring
from service.documents import Documents, FluxDocuments
from service.errors import AddressForbidden
from service.generation import CATALOGUE
from service.inputs import Inputs, Uploads
from service.messages import Message
from service.moves import Moves
from service.patience import WORKERS, Patience
from service.queue import CelerySender
from service.rhythm import Rhythm
from service.settings import Settings
from service.signing.flux_webhook import FluxWebhookSigner
from service.signing.links import CursorSigner, LinkSigner
from service.vitals import Vitals

#: Connections per process. Fewer than a web process has threads: a burst of requests then waits
#: milliseconds for a connection instead of seconds for sixteen new ones.
WEB_POOL_SIZE = 8
#: Connections per process that only webhooks use: callers cannot use them up.
RECEIVER_POOL_SIZE = 3


@dataclass(frozen=True)
class Parts:
    """Every part of one process that is no step."""

    settings: Settings
    pool_size: int = WEB_POOL_SIZE
    #: How long this process waits for the database.
    patience: Patience = WORKERS
    #: Whether the same statements run again and again.
    keeps_plans: bool = False
    #: Another way to ring lanes than by a bell of this host or over the broker.
    ring: Ring | None = None

    @cached_property
    def sender(self) -> Ring:
        """Rings lanes."""
        broker_url = self.settings.celery_broker_url.get_secret_value()
        return self.ring or Bells(self._bells, CelerySender(broker_url))

    @cached_property
    def bell(self) -> Bell:
        """Lets other processes of this host ring the lanes that run in this one."""
        return Bell(self._bells, self.sender)

    @cached_property
    def database(self) -> Database:
        """Transactions."""
        return self._database(self.pool_size, keeps_plans=self.keeps_plans)

    @cached_property
    def receiver_database(self) -> Database:
        """Transactions of the receiver."""
        return self._database(RECEIVER_POOL_SIZE, keeps_plans=True)

    def close(self) -> None:
        """Close every pooled connection to the database."""
        self.database.dispose()
        self.receiver_database.dispose()

    @cached_property
    def object_store(self) -> ObjectStore:
        """The bucket."""
        silence = self.settings.s3_timeout_seconds
        return ObjectStore(self.settings.s3_bucket, timeout_seconds=silence)

    @cached_property
    def guard(self) -> AddressGuard:
        """Says where a request of ours may go."""
        own_name = urlsplit(self.settings.base_url).hostname or ""
        return AddressGuard(self.settings.egress_allowed_networks, own_names=[own_name])

    @cached_property
    def outbound(self) -> Outbound:
        """Every outgoing HTTP request."""
        return Outbound(self.guard)

    @cached_property
    def flux(self) -> Upstreams:
        """The APIs we pay."""
        return Upstreams(
            {
                account.provider.value: FluxClient(
                    PROVIDERS[account.provider],
                    account.base_url,
                    account.is_overridden,
                    account.api_key.get_secret_value(),
                    self.outbound,
                    self.settings.flux_timeout_seconds,
                )
                for account in self.settings.accounts
            }
        )

    @cached_property
    def rhythm(self) -> Rhythm:
        """When to ask Flux about a job."""
        chosen = self.settings
        return Rhythm(
            self.database,
            self._is_called_back,
            chosen.poll_after_seconds,
            chosen.poll_interval_seconds,
        )

    @cached_property
    def webhook_signer(self) -> FluxWebhookSigner:
        """Tokens and secrets of Flux's webhooks."""
        return FluxWebhookSigner(self.settings.signing_keys)

    @cached_property
    def cursors(self) -> CursorSigner:
        """List cursors."""
        return CursorSigner(self.settings.signing_keys)

    @cached_property
    def documents(self) -> Documents:
        """What callers see."""
        return Documents(self.settings.base_url, self.object_store.presign)

    @cached_property
    def links(self) -> LinkSigner:
        """Links that need no key."""
        return LinkSigner(self.settings.signing_keys)

    @cached_property
    def flux_documents(self) -> FluxDocuments:
        """What Flux clients see."""
        return FluxDocuments(self.settings.base_url, self.links)

    @cached_property
    def moves(self) -> Moves:
        """Changes of state."""
        return Moves(self.documents, self.flux_documents, self.settings.result_lifetime_seconds)

    @cached_property
    def result_spool(self) -> ResultSpool:
        """Results on this host's disk."""
        return ResultSpool(self.settings.spool_dir / "results", self.settings.spool_max_bytes)

    @cached_property
    def vitals(self) -> Vitals:
        """Whether what we buy could be kept."""
        return Vitals(self.result_spool.has_room, lambda: self.sender(Message.STORE))

    @cached_property
    def uploads(self) -> Uploads:
        """Pictures that callers hand in."""
        return Uploads(self.database, self.object_store, self.settings.s3_prefix)

    @cached_property
    def inputs(self) -> Inputs:
        """What stands behind the pictures in a job's input."""
        # presigned URLs mean nothing to an upstream that is farther away than the bucket
        bases = [account.base_url for account in self.settings.accounts]
        is_reachable = _is_public(self.object_store.origin) or not any(map(_is_public, bases))
        return Inputs(self.database, self.object_store, CATALOGUE, self.uploads, is_reachable)

    @property
    def _bells(self) -> Path:
        return self.settings.spool_dir / "bells"

    @property
    def _providers(self) -> list[str]:
        """Whom we pay, by preference."""
        return [provider.value for provider in self.settings.flux_provider]

    def _database(self, pool_size: int, *, keeps_plans: bool) -> Database:
        return Database(
            self.settings.database_url.get_secret_value(),
            self.sender,
            pool_size=pool_size,
            patience=self.patience,
            keeps_plans=keeps_plans,
        )

    def _is_called_back(self, model_name: str) -> bool:
        model = CATALOGUE.get(model_name)
        return self.settings.webhooks_wanted and (model is None or model.accepts_webhook)


def _is_public(url: str) -> bool:
    try:
        AddressGuard([]).parse(url)
    except AddressForbidden:
        return False
    return True
