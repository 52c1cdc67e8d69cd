"""Changes of a job's status; only submit's claim and reindex write one besides.

A move is a compare-and-set: it happens from the states that `states.ENTERED_FROM` allows and, where
one speaks for an attempt, for that attempt only. No row back means that somebody was faster, and
that is no error. A failure that is left again leaves nothing of itself in the row. With the move,
in the same statement or transaction: the line of the timeline, and the callback owed to whoever
asked for this event.

`changes.py` moves, one job or many, by `statements.py`; `yeses.py` and `news.py` know what a word
of upstream moves, `attempts.py` the attempt it is about, `values.py` what the database computes.
"""

from service.moves.changes import Change, add_job, known, origin_of
from service.moves.news import Moves
from service.moves.values import After
from service.moves.yeses import Yes

__all__ = ["After", "Change", "Moves", "Yes", "add_job", "known", "origin_of"]
