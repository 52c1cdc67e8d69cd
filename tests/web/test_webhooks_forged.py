"""The receiver under calls that are nearly genuine: none is taken, none breaks it."""

import json
from random import Random

from factories import job
from flask.testing import FlaskClient
from sqlalchemy import func, select
from web.sent_job import Sent

from service.models import FluxWebhook
from service.states import Status
from service.wiring import Wiring

BODY = json.dumps({"id": "task-1", "status": "Error", "result": None}).encode()
CALLS = 1_000
SECRET, SIGNATURE = "X-Webhook-Secret", "X-BFL-Signature"


def changed(text: str, chance: Random) -> str:
    """Return a text of which one character is another, one too many or one too few."""
    place, letter = chance.randrange(len(text)), chance.choice("0aAfF=:, \t\x00\xe9\xff")
    new = text[:place] + chance.choice([letter, ""]) + text[place + chance.choice([0, 1]) :]
    # blanks around a header's value are no part of it (RFC 9110 section 5.5)
    return new if new.strip() != text else f"x{text}"


def flipped(body: bytes, chance: Random) -> bytes:
    """Return a body of which one bit is another."""
    place = chance.randrange(len(body))
    return body[:place] + bytes([body[place] ^ 1 << chance.randrange(8)]) + body[place + 1 :]


def test_no_change_of_proof_or_body_is_taken_or_breaks_the_receiver(
    client: FlaskClient, wiring: Wiring, sent: Sent, rounds: int
) -> None:
    chance = Random(11)  # noqa: S311 - it guards nothing
    secret, signature = sent.secret, f"sha256={sent.signature(BODY)}"
    for _ in range(CALLS * rounds):
        headers, body = chance.choice(
            [
                ({SECRET: changed(secret, chance)}, BODY),
                ({SECRET: changed(secret, chance)}, flipped(BODY, chance)),
                ({SIGNATURE: changed(signature, chance)}, BODY),
                ({SIGNATURE: changed(signature, chance)}, flipped(BODY, chance)),
                ({SIGNATURE: signature}, flipped(BODY, chance)),
                ({SIGNATURE: signature, SECRET: secret}, flipped(BODY, chance)),
                ({SIGNATURE: signature, SECRET: changed(secret, chance)}, BODY),
                ({SIGNATURE: changed(signature, chance), SECRET: secret}, BODY),
            ]
        )
        answer = client.post(sent.path, data=body, headers=headers)
        assert answer.status_code == 401, (headers, body)
    with wiring.database.transaction() as tx:
        assert tx.scalar(select(func.count()).select_from(FluxWebhook)) == 0
    assert job(wiring, sent.job_id).status is Status.SUBMITTING
