"""Reconcile: what upstream charged is explained by our records, or somebody hears of it."""

from dataclasses import replace
from decimal import Decimal

from cli.working import finish
from factories import ACCEPTED, Rewire, ago, due_now, enqueue, hear, job, webhook
from fakes.scripted_peer import ScriptedPeer, answer
from fakes.simulator import Simulator
from fakes.upstream_answers import http, silent
from sqlalchemy import delete, func, insert, select, update

from service.keys import NewKey
from service.models import Attempt, Balance
from service.settings import Provider
from service.steps.reconcile import Reckoning
from service.steps.reconcile.balances import KEPT_SECONDS
from service.upstream import Accepted, Unknown
from service.wiring import Wiring

#: What a picture of the factories' size costs, by the simulator and by the price list.
PRICE = 3


def account(wiring: Wiring) -> Reckoning:
    """Read the balance and return what it says of the last minutes."""
    (found,) = wiring.reconcile.accounts(ago(600))
    return found


def amounts(found: Reckoning, *names: str) -> list[float]:
    return [float(getattr(found, name)) for name in names]


def balances(wiring: Wiring) -> list[int]:
    with wiring.database.transaction() as tx:
        return [row.credits for row in tx.rows(select(Balance.credits).order_by(Balance.at))]


def balance_was(wiring: Wiring, credits_: int, seconds_ago: float) -> None:
    with wiring.database.transaction() as tx:
        then = {"asked_at": ago(seconds_ago + 0.5), "at": ago(seconds_ago)}
        tx.execute(insert(Balance).values(provider="simulator", credits=credits_, **then))


def test_what_was_recorded_explains_the_fall_of_the_balance(wiring: Wiring, key: NewKey) -> None:
    account(wiring)
    finish(wiring, *[enqueue(wiring, key) for _ in range(3)])
    found = account(wiring)
    assert amounts(found, "charged", "recorded", "assumed") == [3 * PRICE, 3 * PRICE, 0]
    assert amounts(found, "surplus", "shortfall", "uncertain") == [0, 0, 0]
    assert not found.is_alarming


def test_a_payment_of_which_nothing_is_known_is_a_surplus(wiring: Wiring, key: NewKey) -> None:
    account(wiring)
    finish(wiring, enqueue(wiring, key))
    enqueue(wiring, key)
    (intent,) = wiring.submit.claim(1)
    assert isinstance(wiring.submit.act(intent), Accepted)
    with wiring.database.transaction() as tx:
        tx.execute(delete(Attempt).where(Attempt.id == intent.attempt_id))
    found = account(wiring)
    assert amounts(found, "charged", "surplus") == [2 * PRICE, PRICE]
    assert found.is_alarming


def test_what_upstream_did_not_charge_is_no_alarm(wiring: Wiring, key: NewKey) -> None:
    account(wiring)
    enqueue(wiring, key)
    (intent,) = wiring.submit.claim(1)
    wiring.submit.record([(intent, replace(ACCEPTED, cost=Decimal(7)))])
    found = account(wiring)
    assert amounts(found, "charged", "recorded", "shortfall") == [0, 7, 7]
    assert not found.is_alarming


def test_a_cost_that_nobody_told_is_assumed_by_the_price_list(wiring: Wiring, key: NewKey) -> None:
    account(wiring)
    job_id = enqueue(wiring, key)
    (intent,) = wiring.submit.claim(1)
    assert isinstance(wiring.submit.act(intent), Accepted)
    wiring.submit.record([(intent, Unknown("the answer was lost on its way"))])
    hear(wiring, webhook(wiring, job_id))
    assert job(wiring, job_id).cost_actual is None
    found = account(wiring)
    assert amounts(found, "charged", "recorded", "assumed") == [PRICE, PRICE, PRICE]
    assert not found.is_alarming


def test_a_submission_under_way_may_be_paid_or_not(wiring: Wiring, key: NewKey) -> None:
    account(wiring)
    enqueue(wiring, key)
    (intent,) = wiring.submit.claim(1)
    assert isinstance(wiring.submit.act(intent), Accepted)
    for lost in (None, Unknown("reset")):
        if lost is not None:
            wiring.submit.record([(intent, lost)])
        found = account(wiring)
        assert amounts(found, "charged", "recorded", "uncertain") == [PRICE, 0, PRICE]
        assert not found.is_alarming
    # the grace is over: from now on it is a loss that somebody should look at
    due_now(wiring, intent.job_id)
    wiring.sweep()
    assert account(wiring).is_alarming


def test_a_payment_around_a_reading_may_lie_on_either_side_of_it(
    wiring: Wiring, key: NewKey
) -> None:
    enqueue(wiring, key)
    (intent,) = wiring.submit.claim(1)
    wiring.submit.record([(intent, replace(ACCEPTED, cost=Decimal(PRICE)))])
    with wiring.database.transaction() as tx:
        tx.execute(update(Attempt).values(intent_at=ago(340), ended_at=ago(260)))
    balance_was(wiring, 100, seconds_ago=300)
    for charged, seconds_ago in ((0, 200), (PRICE, 100)):
        balance_was(wiring, 100 - charged, seconds_ago)
        found = wiring.reconcile.reckon("simulator", ago(600))
        assert amounts(found, "charged", "recorded", "uncertain") == [charged, 0, PRICE]
        assert amounts(found, "surplus", "shortfall") == [0, 0]


def test_a_rise_is_named_and_its_span_not_compared(wiring: Wiring) -> None:
    for credits_, seconds_ago in ((100, 400), (97, 300), (1000, 200), (990, 100)):
        balance_was(wiring, credits_, seconds_ago)
    found = wiring.reconcile.reckon("simulator", ago(600))
    assert [amount for _, amount in found.rises] == [903]
    assert amounts(found, "charged", "surplus") == [13, 13]


def test_one_reading_is_nothing_to_compare(wiring: Wiring) -> None:
    found = account(wiring)
    assert found.first_at == found.last_at is not None
    assert found.charged == 0
    assert not found.is_alarming


def test_workers_read_a_balance_now_and_then_and_forget_what_is_a_month_old(
    wiring: Wiring, rewire: Rewire, simulator: Simulator
) -> None:
    balance_was(wiring, 5, seconds_ago=KEPT_SECONDS + 60)
    balance_was(wiring, 7, seconds_ago=KEPT_SECONDS - 3600)
    wiring.reconcile.read_balances()
    found = balances(wiring)
    assert (found[0], len(found)) == (7, 2)
    # another worker, at the same time
    rewire().reconcile.read_balances()
    assert len(balances(wiring)) == 2
    with wiring.database.transaction() as tx:
        tx.execute(update(Balance).values(at=Balance.at - func.make_interval(0, 0, 0, 0, 0, 10)))
    wiring.reconcile.read_balances()
    assert len(balances(wiring)) == 3


def test_an_upstream_that_tells_no_balance_stops_nothing(rewire: Rewire) -> None:
    for script in (answer(http(404)), answer(http(200, b'{"credits": "many"}')), answer(b"")):
        with ScriptedPeer(script) as peer:
            away = rewire(flux_api_url=[peer.url])
            away.reconcile.read_balances()
            assert len(peer.requests) == 1
    with ScriptedPeer(silent) as peer:
        untold = rewire(flux_provider=[Provider.COMETAPI], flux_api_url=[peer.url])
        assert account(untold).first_at is None
        assert peer.connections == 0
