"""What became of jobs, by the tables and by what was seen from outside."""

from dataclasses import dataclass

from load import asked
from outside import Outside


@dataclass(frozen=True, slots=True)
class Reckoning:
    """Numbers of jobs."""

    jobs: int
    succeeded: int
    #: Failed as `submission_unconfirmed`, which says that it may have been charged.
    unconfirmed: int
    #: Of these, the ones that upstream did sell.
    unconfirmed_and_paid: int
    paid_twice: int
    #: Paid, and neither stored nor owned up to.
    lost: int
    not_called_back: int
    #: Ended in another way, or not at all.
    others: int

    @property
    def is_whole(self) -> bool:
        """Whether every job is accounted for and none was paid twice."""
        ended = self.succeeded + self.unconfirmed == self.jobs
        return ended and not (self.paid_twice or self.lost or self.not_called_back)


def reckon(outside: Outside, database_url: str) -> Reckoning:
    """Compare the tables with upstream's ledger and the callbacks' sink."""
    ends = {number: (status, code) for number, status, code in asked(database_url, _ENDS)}
    succeeded = {number for number, (status, _) in ends.items() if status == "succeeded"}
    unconfirmed = {number for number, (_, code) in ends.items() if code == _UNCONFIRMED}
    paid = {number: job.paid for number, job in outside.jobs.items() if job.paid}
    return Reckoning(
        jobs=len(outside.jobs),
        succeeded=len(succeeded),
        unconfirmed=len(unconfirmed),
        unconfirmed_and_paid=len(unconfirmed & paid.keys()),
        paid_twice=sum(count > 1 for count in paid.values()),
        lost=len(paid.keys() - succeeded - unconfirmed),
        not_called_back=sum(not job.called_back_at for job in outside.jobs.values()),
        others=len(outside.jobs.keys() - succeeded - unconfirmed),
    )


_UNCONFIRMED = "submission_unconfirmed"
_ENDS = """
    SELECT substring(input->>'prompt' FROM '[0-9]+')::int, status, coalesce(error_code, '')
    FROM jobs
"""
