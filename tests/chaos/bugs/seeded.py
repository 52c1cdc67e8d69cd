"""Bugs to be put in: what is easily done wrong in a service like this one, and once was in ours."""

from chaos.bugs.bug import Bug, Edit
from chaos.checker import Broken
from chaos.points.cases import Action, Case

_PAID_TWICE = frozenset({Broken.PAID_TWICE})
#: Where answers are lost the gate lets one job a second through, and each has its grace.
_FEW = {"jobs": 14, "heal_seconds": 45.0}

BUGS = (
    Bug(
        "re-send on timeout",
        "service/clients/flux.py",
        [
            Edit(
                "            return Unknown(str(error))\n",
                "            return NotSent(str(error))\n",
            )
        ],
        _PAID_TWICE,
        {**_FEW, "every_job": "reset,late"},
    ),
    Bug(
        "no compare-and-set",
        "service/moves/statements.py",
        [
            Edit(
                "        enterable(kind.to, takes_over=kind.takes_over),\n    ]\n",
                "    ]\n",
            )
        ],
        frozenset({Broken.BACKWARDS}),
        {"every_job": "late"},
    ),
    Bug(
        "acknowledged before it is durable",
        "service/steps/receive.py",
        [
            Edit(
                "            self.spool.add(attempt_id, body)\n"
                '            fault_point("receive.after_spool")\n',
                '            fault_point("receive.after_spool")\n',
            )
        ],
        frozenset({Broken.NOT_STORED}),
        {**_FEW, "every_job": "reset", "outage": "database: refuse", "outage_seconds": 4.0},
    ),
    Bug(
        "sweep re-sends",
        "service/steps/sweep/sweep.py",
        [
            Edit(
                "                Status.UNCONFIRMED,\n"
                '                "The worker that sent it fell silent',
                "                Status.QUEUED,\n"
                '                "The worker that sent it fell silent',
            ),
            Edit(
                "self._close(tx, row, AttemptOutcome.UNKNOWN)",
                "self._close(tx, row, AttemptOutcome.NOT_SENT)",
            ),
            Edit(
                "due_at=After(self.grace.seconds),",
                "due_at=After(0),",
            ),
        ],
        _PAID_TWICE,
        {**_FEW, "every_job": "hang,lost", "kills_per_second": 3.0},
    ),
    Bug(
        "no sweep",
        "service/steps/sweep/sweep.py",
        [Edit("                self._sweep(tx)\n", "                pass\n")],
        frozenset({Broken.STUCK}),
        {**_FEW, "every_job": "reset,lost"},
    ),
    Bug(
        "dispatch before commit",
        "service/steps/submit/lane.py",
        [
            Edit(
                "        return self.send(claim)\n",
                '        return self.__dict__["sent"].pop(claim.attempt_id)\n',
            ),
            Edit(
                "                if taken:\n",
                '                sent = self.__dict__.setdefault("sent", {})\n'
                "                sent.update((one.attempt_id, self.send(one)) for one in taken)\n"
                "                if taken:\n",
            ),
        ],
        frozenset({Broken.NOT_STORED}),
        # the webhook comes while the send lasts, and finds no attempt
        {**_FEW, "every_job": "hang"},
    ),
    Bug(
        "one global webhook secret",
        "service/signing/flux_webhook.py",
        [
            Edit(
                'b"flux-webhook-secret|" + attempt_id.bytes',
                'b"flux-webhook-secret|"',
            )
        ],
        frozenset({Broken.WRONG_BYTES, Broken.NOT_STORED}),
        {**_FEW, "every_job": "reset,replay"},
    ),
    Bug(
        "redirects followed",
        "service/clients/outbound/client.py",
        [
            Edit(
                "            return _read_answer(response, max_body_bytes, started)\n"
                "\n"
                "    def get(",
                "            answer = _read_answer(response, max_body_bytes, started)\n"
                "        if answer.status in _REDIRECTS:\n"
                "            return self.post(\n"
                '                urljoin(url, answer.headers["Location"]),\n'
                "                body=body,\n"
                "                headers=headers,\n"
                "                total_seconds=total_seconds,\n"
                "                connect_seconds=connect_seconds,\n"
                "                max_body_bytes=max_body_bytes,\n"
                "                guarded=guarded,\n"
                "            )\n"
                "        return answer\n"
                "\n"
                "    def get(",
            )
        ],
        frozenset({Broken.FOLLOWED}),
        {"jobs": 120},
    ),
    Bug(
        "succeeded before S3 confirmed",
        "service/clients/object_store.py",
        [
            Edit(
                "        except _NO_ANSWER as error:\n"
                '            raise StorageUnavailable(_reason("put", error)) from error\n'
                "        if confirmed",
                "        except _NO_ANSWER:\n            return\n        if confirmed",
            )
        ],
        frozenset({Broken.WRONG_BYTES}),
        # few of them: what is known to be away is not tried
        {"jobs": 100, "seconds": 10.0, "network": "bucket: refuse", "network_faults": 4},
    ),
    Bug(
        "delivery outside the transaction",
        "service/moves/changes.py",
        [
            Edit(
                '            tx.execute(_OWE, {"said": records(owed)})\n',
                "            _soon(tx, records(owed))\n",
            ),
            Edit(
                "def add_job(",
                "def _soon(tx: Transaction, said: object) -> None:\n"
                "    import threading\n"
                "\n"
                "    def insert_it() -> None:\n"
                "        with engine.begin() as connection:\n"
                '            connection.execute(_OWE, {"said": said})\n'
                "\n"
                "    engine = tx._connection.engine\n"
                "    tx.count_after_commit(threading.Timer(0.3, insert_it).start)\n"
                "\n"
                "\n"
                "def add_job(",
            ),
        ],
        frozenset({Broken.MISSED}),
        {"kills_per_second": 2.0},
    ),
    Bug(
        "idempotency not scoped",
        "service/steps/enqueue/accept.py",
        [
            Edit(
                'jobs.c.project_id == bindparam("of_project"), jobs.c.idempotency_key ==',
                "jobs.c.idempotency_key ==",
            ),
            # the insert itself is scoped by the table
            Edit(
                "if found.errors or (found.examined is not None and found.examined.handed):",
                "if request.idempotency_key:",
            ),
        ],
        frozenset({Broken.UNANSWERED, Broken.LOST, Broken.DOUBLED}),
    ),
    Bug(
        "5xx retried",
        "service/clients/flux.py",
        [
            Edit(
                '    return Unknown(f"answered {status}: {reason}", status)\n',
                '    return NotSent(f"answered {status}: {reason}")\n',
            )
        ],
        _PAID_TWICE,
        {**_FEW, "every_job": "accepted-503,late"},
    ),
    # ours: beyond the twelve that are easily made, one that was
    Bug(
        "begun is forgotten before its claim is",
        "service/steps/submit/slips.py",
        [
            Edit(
                "            if name := self._said.pop(attempt_id, None):\n",
                "            self.legacy.forget(_name(attempt_id, _BEGUN))\n"
                "            if name := self._said.pop(attempt_id, None):\n",
            )
        ],
        _PAID_TWICE,
        case=Case("submit.after_drop", Action.KILL),
    ),
)
