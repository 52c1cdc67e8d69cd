"""The one place that knows concrete classes: settings in, working parts out.

Nothing here connects or starts; every part opens its own connections on first use, so that a wiring
made before a fork is safe after it.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any
from uuid import UUID

from service.clients.spool import WebhookSpool
from service.database import Ring
from service.generation import CATALOGUE
from service.lanes import Lane
from service.leases import HandBack
from service.legacy import Legacy
from service.logs import get_log
from service.messages import Message
from service.pictures import MAX_IMAGE_BYTES
from service.poison import Deaths
from service.rounds import Round
from service.settings import Provider
from service.states import Status
from service.steps.derive import Derive
from service.steps.poll import Poll
from service.steps.receive import Receive
from service.steps.reconcile import Balances, Reconcile
from service.steps.recover import Doubts
from service.steps.reindex import Reindex
from service.steps.remove import Remove
from service.steps.share import Share
from service.steps.store import Bring, Ripe, Store
from service.steps.submit import Lease, Outcomes, Send, Slips, Submit
from service.steps.survey import Survey
from service.steps.sweep import GraceClock, Sweep
from service.steps.tail import Tail
from service.steps.verify import Verify
from service.steps.watch import Watch
from service.wiring.asking import Asking
from service.wiring.calling import CONNECT_TIMEOUT_SECONDS
from service.wiring.upkeep import rounds_of

log = get_log(__name__)

#: A download must end well inside the lease, or a second worker begins the same.
DOWNLOAD_SHARE_OF_LEASE = 0.6
MAX_DOWNLOAD_SECONDS = 60.0
#: How often a lane looks by itself when nobody rings.
LOOK_EVERY_SECONDS = 2.0

#: Acts at a time per worker process.
CAPACITY = {Message.POLL: 8, Message.STORE: 16, Message.DELIVER: 256}
#: Connections per worker process.
WORKER_POOL_SIZE = 8


class Wiring(Asking):
    """Every step of one process, over its parts."""

    @cached_property
    def submit(self) -> Submit:
        """Step: submit."""
        chosen = self.settings
        lease = Lease(self.database, chosen.send_deadline_seconds, chosen.flux_timeout_seconds)
        slips = Slips(Legacy(chosen.spool_dir / "slips"))
        outcomes = Outcomes(
            self.moves,
            chosen.unconfirmed_grace_seconds,
            self.rhythm.poll_after_seconds,
        )
        return Submit(
            database=self.database,
            send=Send(CATALOGUE, self.flux, self.inputs, lease, slips, self._webhook_address()),
            lease=lease,
            slips=slips,
            outcomes=outcomes,
            may_spend=self.vitals.trouble,
            providers=self._providers,
            limits=self._limits,
            probes=self._probes,
        )

    @cached_property
    def receive(self) -> Receive:
        """Step: receive."""
        spool = WebhookSpool(self.settings.spool_dir / "webhooks")
        return Receive(self.receiver_database, self.moves, self.webhook_signer, spool)

    @cached_property
    def poll(self) -> Poll:
        """Step: poll."""
        chosen = self.settings
        return Poll(
            database=self.database,
            moves=self.moves,
            flux=self.flux,
            lease_seconds=chosen.lease_seconds,
            interval_seconds=self.rhythm.interval_seconds,
            deadline_seconds=chosen.upstream_deadline_seconds,
        )

    @cached_property
    def store(self) -> Store:
        """Step: store."""
        bring = Bring(
            fetch=self._download,
            spool=self.result_spool,
            bucket=self.object_store,
            vitals=self.vitals,
            flux=self.flux,
            prefix=self.settings.s3_prefix,
        )
        legacy = Legacy(self.settings.spool_dir / "acts")
        return Store(
            database=self.database,
            moves=self.moves,
            bring=bring,
            deaths=Deaths(self.database, legacy, Status.STORING),
            bucket=self.settings.s3_bucket,
            lease_seconds=self.settings.lease_seconds,
        )

    @cached_property
    def derive(self) -> Derive:
        """Step: derive."""
        return Derive(self.database, self.object_store, self.settings.lease_seconds)

    @cached_property
    def remove(self) -> Remove:
        """Step: remove."""
        return Remove(self.database, self.object_store)

    @cached_property
    def share(self) -> Share:
        """Step: share."""
        return Share(self.database)

    @cached_property
    def tail(self) -> Tail:
        """Step: tail."""
        return Tail(self.database)

    @cached_property
    def sweep(self) -> Sweep:
        """Step: sweep."""
        return Sweep(
            self.database,
            self.moves,
            CATALOGUE,
            self._providers,
            retired_providers=sorted(set(Provider) - set(self.settings.flux_provider)),
            grace=GraceClock(
                self.settings.unconfirmed_grace_seconds,
                self.settings.sweep_interval_seconds,
                self.settings.webhooks_wanted,
            ),
            probes=self._probes,
        )

    @cached_property
    def watch(self) -> Watch:
        """Step: watch."""
        return Watch(self.database, self._providers)

    @cached_property
    def survey(self) -> Survey:
        """Step: survey."""
        return Survey(self.database, self._providers)

    @cached_property
    def reconcile(self) -> Reconcile:
        """Step: reconcile."""
        return Reconcile(self.database, Balances(self.database, self.flux, self._providers))

    @cached_property
    def reindex(self) -> Reindex:
        """Step: reindex."""
        return Reindex(self.database, self.object_store, self.settings.s3_prefix)

    @cached_property
    def doubts(self) -> Doubts:
        """Step: recover, what a person decides."""
        return Doubts(self.database, self.moves, self.reindex.kept)

    @cached_property
    def verify(self) -> Verify:
        """Step: verify."""
        return Verify(self.database, self.object_store)

    def lanes(self, ring_others: Ring) -> dict[Message, Lane[object, object]]:
        """Return the lanes that an io worker runs, not started yet."""
        steps = {
            Message.SUBMIT: (self.submit, self.settings.flux_max_active * len(self._providers)),
            Message.POLL: (self.poll, CAPACITY[Message.POLL]),
            Message.STORE: (self.store, CAPACITY[Message.STORE]),
            Message.DELIVER: (self.deliver, CAPACITY[Message.DELIVER]),
        }
        hand_back: dict[Message, Callable[[list[Any]], None]] = {
            Message.POLL: HandBack(self.database, Status.GENERATING),
            Message.STORE: self._hand_back_results,
        }
        return {
            message: Lane(
                message,
                step,  # type: ignore[arg-type] # a lane's claims and outcomes are its step's own
                capacity=capacity,
                look_every_seconds=LOOK_EVERY_SECONDS,
                ring_others=ring_others,
                hand_back=hand_back.get(message),
            )
            for message, (step, capacity) in steps.items()
        }

    def _hand_back_results(self, claims: list[Ripe]) -> None:
        # told to stop, this process does not die of them
        self.store.deaths.forgive(claim.job_id for claim in claims)
        HandBack(self.database, Status.STORING)(claims)

    def rounds(self) -> Mapping[str, Round]:
        """Return what an io worker does again and again beside its lanes."""
        return rounds_of(self)

    def _webhook_address(self) -> Callable[[UUID], Mapping[str, str]]:
        """Return what is sent upstream so that Flux can call us, or nothing if it cannot."""
        if not self.settings.webhooks_wanted:
            log.warning("poll_only", reason="PUBLIC_URL is not https, so no webhook is asked for")
            return lambda _attempt_id: {}
        signer, base_url = self.webhook_signer, self.settings.base_url

        def address(attempt_id: UUID) -> Mapping[str, str]:
            return {
                "webhook_url": f"{base_url}/webhooks/flux/{signer.token(attempt_id)}",
                "webhook_secret": signer.secret(attempt_id),
            }

        return address

    def _download(self, url: str, sink: Callable[[bytes], object]) -> str:
        share = self.settings.lease_seconds * DOWNLOAD_SHARE_OF_LEASE
        return self.outbound.download(
            url,
            sink,
            total_seconds=min(MAX_DOWNLOAD_SECONDS, share),
            connect_seconds=CONNECT_TIMEOUT_SECONDS,
            max_bytes=MAX_IMAGE_BYTES,
        ).sha256
