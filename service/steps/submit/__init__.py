"""Submit: the step of its lane, and the one send of an intent."""

from service.steps.submit.lane import Submit
from service.steps.submit.lease import Lease
from service.steps.submit.outcomes import Outcomes
from service.steps.submit.send import Intent, Send
from service.steps.submit.slips import Slips

__all__ = ["Intent", "Lease", "Outcomes", "Send", "Slips", "Submit"]
