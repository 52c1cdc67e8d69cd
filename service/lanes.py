"""A lane: the due rows of one step, and the thread that works them off.

A step has three parts. *Claim* takes due rows in one short transaction. *Act* talks to the world
with no transaction open, many at a time. *Record* writes what came of it in one transaction for all
that have ended by then, so that one slow act never holds up the others.

Under load it waits a moment before each turn, so that many rows share a transaction.

The thread looks when the lane is rung, when an act has ended, and every few seconds by itself: a
worker whose broker is gone goes on at that pace.
"""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, Protocol, TypeVar

from service.errors import DatabaseUnavailable
from service.hands import Hands
from service.logs import get_log
from service.messages import Message

Claim = TypeVar("Claim")
Outcome = TypeVar("Outcome")

#: How long a stopping lane holds on to outcomes that the database does not take, seconds.
RECORD_PATIENCE_SECONDS = 20.0
RECORD_RETRY_SECONDS = 0.5
#: A lane under load finds more work with every look; the others hear of it so often at most.
RING_OTHERS_EVERY_SECONDS = 0.5
#: Who finds so much in one turn waits so long for more before the next: a transaction for ten rows
#: costs little more than one for a single row.
MANY = 3
GATHER_SECONDS = 0.05


log = get_log(__name__)


@dataclass(frozen=True, slots=True)
class _Ended(Generic[Claim, Outcome]):
    claim: Claim
    #: None when the act ended in an exception of ours: its row waits for the end of its lease.
    outcome: tuple[Outcome] | None


class Step(Protocol[Claim, Outcome]):
    """What a lane works off; each in its own module under steps/."""

    def claim(self, limit: int) -> list[Claim]:
        """Take at most `limit` due rows, the most urgent first."""
        ...

    def act(self, claim: Claim) -> Outcome:
        """Do the work of one row; faults of the world are outcomes, not exceptions."""
        ...

    def record(self, ended: list[tuple[Claim, Outcome]]) -> bool | None:
        """Write down what came of it, in one transaction; true if there may be more to do now."""
        ...


class Lane(Generic[Claim, Outcome]):
    """One step's thread, and hands for the acts under way in this process."""

    def __init__(
        self,
        message: Message,
        step: Step[Claim, Outcome],
        *,
        capacity: int,
        look_every_seconds: float,
        ring_others: Callable[[Message], None],
        hand_back: Callable[[list[Claim]], None] | None = None,
    ) -> None:
        """Prepare a lane of at most `capacity` acts at a time; `start()` begins to work.

        `hand_back` lets others have rows at once whose acts have not ended here; a step whose acts
        must not be begun twice has none.
        """
        self._message = message
        self._step = step
        self._capacity = capacity
        self._look_every_seconds = look_every_seconds
        self._ring_others = ring_others
        self._hand_back = hand_back
        #: Acts that have ended; None is a ring.
        self._ended: queue.SimpleQueue[_Ended[Claim, Outcome] | None] = queue.SimpleQueue()
        self._under_way: dict[int, Claim] = {}
        self._stopping = threading.Event()
        self._turns = 0
        self._hands = Hands(message.stage)
        self._gather_until = 0.0
        self._thread = threading.Thread(target=self._run, name=f"lane-{message.stage}", daemon=True)

    def start(self) -> None:
        """Begin to look for due rows."""
        self._thread.start()

    def ring(self) -> None:
        """Have the lane look now; rings of a lane that is awake already are one."""
        self._ended.put(None)

    @property
    def turns(self) -> int:
        """How often the lane has come round; it does every few seconds, whatever it works on."""
        return self._turns

    @property
    def has_died(self) -> bool:
        """Whether it has ended although nobody closed it."""
        return not (self._thread.is_alive() or self._stopping.is_set())

    def close(self) -> None:
        """Claim no more; the acts under way go on."""
        self._stopping.set()
        self.ring()

    def join(self, timeout_seconds: float) -> bool:
        """Wait until the acts under way have ended and are recorded; False if time ran out.

        What has not ended by then is handed back, where others may begin it anew.
        """
        self._thread.join(timeout_seconds)
        if not self._thread.is_alive():
            return True
        claims = list(self._under_way.values())
        log.warning("lane_cut_short", lane=self._message.stage, rows=len(claims))
        if self._hand_back is not None:
            try:
                self._hand_back(claims)
            except Exception:
                log.exception("lane_hand_back_failed", lane=self._message.stage)
        return False

    def _run(self) -> None:
        look = True
        silent_until = look_at = 0.0
        while self._under_way or not self._stopping.is_set():
            self._turns += 1
            free = self._capacity - len(self._under_way)
            look = look or time.monotonic() >= look_at
            if look and free > 0 and not self._stopping.is_set():
                look_at = time.monotonic() + self._look_every_seconds
                claims = self._claim(free)
                # a full batch means there may be more: look again when an act has ended, and let
                # idle workers, here or on another host, join in
                look = len(claims) == free
                if look and time.monotonic() >= silent_until:
                    silent_until = time.monotonic() + RING_OTHERS_EVERY_SECONDS
                    self._ring_others(self._message)
                for claim in claims:
                    self._begin(claim)
            ended, rung = self._gather(max(0.01, look_at - time.monotonic()))
            look = look or rung
            if known := [(one.claim, *one.outcome) for one in ended if one.outcome is not None]:
                look = self._record(known) or look
            for one in ended:
                del self._under_way[id(one.claim)]

    def _claim(self, limit: int) -> list[Claim]:
        try:
            return self._step.claim(limit)
        except DatabaseUnavailable as error:
            log.warning("lane_waits_for_database", lane=self._message.stage, reason=str(error))
        except Exception:
            log.exception("lane_claim_crashed", lane=self._message.stage)
        return []

    def _begin(self, claim: Claim) -> None:
        self._under_way[id(claim)] = claim
        self._hands.give(partial(self._act, claim))

    def _act(self, claim: Claim) -> None:
        outcome = None
        try:
            outcome = (self._step.act(claim),)
        except Exception:
            # a bug of ours: the row's lease runs out and the sweep finds it
            log.exception("lane_act_crashed", lane=self._message.stage)
        self._ended.put(_Ended(claim, outcome))

    def _gather(self, wait_seconds: float) -> tuple[list[_Ended[Claim, Outcome]], bool]:
        """Wait for something to happen; return all acts that ended by then, and whether it rang."""
        ended: list[_Ended[Claim, Outcome]] = []
        rung = False
        try:
            item = self._ended.get(timeout=wait_seconds)
            time.sleep(max(0.0, self._gather_until - time.monotonic()))
            found = 0
            while True:
                found += 1
                if found == MANY:
                    self._gather_until = time.monotonic() + GATHER_SECONDS
                if item is None:
                    rung = True
                else:
                    ended.append(item)
                item = self._ended.get_nowait()
        except queue.Empty:
            return ended, rung

    def _record(self, ended: list[tuple[Claim, Outcome]]) -> bool:
        give_up_at = time.monotonic() + RECORD_PATIENCE_SECONDS
        while True:
            self._turns += 1
            try:
                return bool(self._step.record(ended))
            except DatabaseUnavailable as error:
                # without a database there is nothing else to do than to hold on to what is known
                if self._stopping.is_set() and time.monotonic() >= give_up_at:
                    log.exception(
                        "lane_outcomes_dropped", lane=self._message.stage, rows=len(ended)
                    )
                    return False
                log.warning("lane_record_waits", lane=self._message.stage, reason=str(error))
                time.sleep(RECORD_RETRY_SECONDS)
            except Exception:
                log.exception("lane_record_crashed", lane=self._message.stage, rows=len(ended))
                if len(ended) > 1:
                    # one row must not spoil the others
                    for one in ended:
                        self._record([one])
                return True
