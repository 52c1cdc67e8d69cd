"""A sample of `make points`: each action at a few points, and every promise is kept."""

from pathlib import Path

import pytest
from chaos.points.cases import Action, Case
from chaos.points.play import play

SAMPLE = (
    Case("enqueue.after_commit", Action.KILL),
    Case("submit.before_record_commit", Action.KILL),
    Case("store.after_put", Action.STOP),
    Case("receive.before_commit", Action.CUT),
    Case("submit.before_claim_commit", Action.CUT_AFTER_COMMIT),
)


#: Only if it fails it takes longer than others may: each point is waited for, each job, in vain.
@pytest.mark.timeout(600)
def test_what_breaks_at_a_point_breaks_no_promise(tmp_path: Path) -> None:
    broken = [str(outcome) for outcome in play(tmp_path, SAMPLE) if outcome.findings]
    assert not broken, "\n".join(broken)
