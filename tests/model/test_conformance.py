"""The product does what the model says, step by step, on a real database."""

import itertools

import pytest
from factories import Rewire
from model.product import Product
from model.protocol import Action
from model.tours import OUTSIDE, Tour, tours
from model.world import At, Rules

from service.keys import NewKey
from service.states import Status

RESUBMITTING = Rules(resubmits=True, max_calls=1, max_at_once=1)
START = (Status.QUEUED, None)


def states_of(tour: Tour) -> list[str]:
    """Return the states that the model's job goes through."""
    places = [START, *((world.job.status, world.job.code) for _, world in tour)]
    return [status.value for (status, _), _ in itertools.groupby(places)]


def is_post(action: Action) -> bool:
    """Say whether upstream gets to read something."""
    is_sent = action.what not in {At.NOT_SENT, At.UNUSABLE}
    return action.name == "post_belied" or (action.name == "post" and is_sent)


@pytest.mark.timeout(900)
def test_the_product_takes_every_kind_of_step_as_the_model_does(
    rewire: Rewire, key: NewKey
) -> None:
    wiring = rewire(send_deadline_seconds=3600.0, upstream_deadline_seconds=3600.0)
    taken = 0
    variants = Rules(), Rules(refusals_may_be_false=True, max_calls=1), RESUBMITTING
    for rules, tour in tours(*variants):
        product, done = Product(wiring, key, rules), []
        for action, world in tour:
            product.do(action)
            done.append(action)
            assert action.name in OUTSIDE or product.seen() == world.job, done
        assert product.timeline() == states_of(tour), done
        assert product.posts == sum(is_post(action) for action, _ in tour), done
        product.put_aside()
        taken += len(tour)
    assert taken > 500
