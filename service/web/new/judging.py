"""What a draft would become if it were sent: the same check and the same words as in the API."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from service.documents import credits_text
from service.errors import FieldError, InvalidRequest
from service.generation import Quote
from service.keys import Caller
from service.steps.enqueue import JobRequest
from service.web.bodies import asking
from service.web.new.draft import Draft
from service.wiring import Wiring

_AMOUNT = re.compile(r"\d{1,9}(?:\.\d{1,6})?", re.ASCII)


@dataclass(frozen=True)
class Verdict:
    """What the check says."""

    #: None if the request has the wrong shape.
    wanted: JobRequest | None
    #: None if it would not be accepted.
    quote: Quote | None
    errors: Sequence[FieldError] = ()


def judged(
    wiring: Wiring,
    caller: Caller,
    draft: Draft,
    key: str | None = None,
    known: Sequence[FieldError] = (),
) -> Verdict:
    """Check a draft; of a field that is `known` to be wrong nothing more is said."""
    wanted = None
    try:
        wanted = wiring.enqueue.read(asking(caller), draft.body(), key)
        quote = wiring.enqueue.price(caller.project_id, wanted.model, wanted.input)
    except InvalidRequest as error:
        named = {one.pointer for one in known}
        new = [one for one in error.errors if one.pointer not in named]
        return Verdict(wanted, None, [*known, *new])
    return Verdict(wanted, None if known else quote, known)


def amount(quote: Quote | None) -> str:
    """Return a price as a form carries it to the second step; "" if nobody knows it."""
    return (quote and credits_text(quote.credits)) or ""


def is_agreed(quote: Quote | None, agreed: str) -> bool:
    """Tell whether a price, if there is one, is no higher than what somebody agreed to."""
    if quote is None:
        return True
    if quote.credits is None:
        return agreed == ""
    return bool(_AMOUNT.fullmatch(agreed)) and quote.credits <= Decimal(agreed)
