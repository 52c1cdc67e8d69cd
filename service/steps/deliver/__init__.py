"""Deliver: the caller hears of its job, signed, again and again until it answers 2xx.

The delivery's id and bytes stay the same on every try, the timestamp and so the signature are fresh
(Standard Webhooks 1.0). A job that came through Flux's API is proved as Flux proves its webhooks. A
redirect is a failure and never followed; 410 ends it.

`due.py` says whose turn it is, `lane.py` calls, `noted.py` notes,
`hosts.py` knows which hosts are unwell,
`told.py` what a killed worker had delivered.
"""

from service.steps.deliver.lane import Deliver
from service.steps.deliver.told import Told
from service.steps.deliver.tries import MAX_ANSWER_BYTES, TRY_TIMEOUT_SECONDS, Owed, Run, Try

__all__ = ["MAX_ANSWER_BYTES", "TRY_TIMEOUT_SECONDS", "Deliver", "Owed", "Run", "Told", "Try"]
