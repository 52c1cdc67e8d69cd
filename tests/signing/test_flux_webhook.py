"""Tokens and proofs of Flux's webhooks."""

import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from itsdangerous import URLSafeSerializer

from service.errors import RejectedWebhook
from service.ids import new_id
from service.signing.flux_webhook import FluxWebhookSigner
from service.signing.links import CursorSigner

OLD, NEW = "an-old-key-that-is-long-enough-to-be-one", "a-new-key-that-is-long-enough-to-be-one"
SIGNER = FluxWebhookSigner([OLD])
BODY = b'{"status":"Ready"}'
KWARGS = {"digest_method": hashlib.sha256, "key_derivation": "hmac"}


def signature(secret: str, body: bytes = BODY) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def test_a_token_names_its_attempt_and_fits_a_path() -> None:
    attempt = new_id()
    token = SIGNER.token(attempt)
    assert SIGNER.attempt_of(token) == attempt
    assert token.replace("-", "").replace("_", "").replace(".", "").isalnum()
    assert len(token) < 120


@settings(max_examples=500, deadline=None)
@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_no_made_up_token_is_taken(token: str) -> None:
    with pytest.raises(RejectedWebhook):
        SIGNER.attempt_of(token)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 90), st.characters(codec="ascii"))
def test_a_changed_token_names_no_other_attempt(place: int, letter: str) -> None:
    attempt = new_id()
    token = SIGNER.token(attempt)
    changed = token[:place] + letter + token[place + 1 :]
    try:
        # unused bits of the last character may differ: the same attempt, never another
        assert SIGNER.attempt_of(changed) == attempt
    except RejectedWebhook:
        assert changed != token


def test_a_token_of_another_use_or_key_is_not_taken() -> None:
    attempt = new_id()
    others = [
        FluxWebhookSigner([NEW]).token(attempt),
        CursorSigner([OLD]).write("jobs", [attempt.hex]),
        str(URLSafeSerializer(OLD).dumps(attempt.hex)),
        str(
            URLSafeSerializer(OLD, salt="darkroom.cursor.jobs", signer_kwargs=KWARGS).dumps(
                attempt.hex
            )
        ),
        str(URLSafeSerializer(OLD, salt="darkroom.flux-webhook.v1").dumps(attempt.hex)),
    ]
    for token in others:
        with pytest.raises(RejectedWebhook):
            SIGNER.attempt_of(token)


def test_a_secret_belongs_to_one_attempt_and_can_be_printed() -> None:
    one, two = new_id(), new_id()
    assert SIGNER.secret(one) != SIGNER.secret(two)
    assert len(SIGNER.secret(one)) == 64
    assert SIGNER.secret(one) not in SIGNER.token(one)
    with pytest.raises(RejectedWebhook):
        SIGNER.verify(two, BODY, [SIGNER.secret(one)], [])
    with pytest.raises(RejectedWebhook):
        SIGNER.verify(two, BODY, [], [signature(SIGNER.secret(one))])


def test_either_proof_holds_and_one_that_is_present_must() -> None:
    attempt = new_id()
    secret = SIGNER.secret(attempt)
    SIGNER.verify(attempt, BODY, [secret], [])
    SIGNER.verify(attempt, BODY, [], [signature(secret)])
    SIGNER.verify(attempt, BODY, [secret], [signature(secret)])
    for secrets, signatures in (
        ([], []),
        (["x"], [signature(secret)]),
        ([secret], [signature("x")]),
        ([secret], [""]),
        ([""], [signature(secret)]),
        ([secret, secret], []),
        ([], [signature(secret)] * 2),
        ([], [signature(secret, BODY + b" ")]),
    ):
        with pytest.raises(RejectedWebhook):
            SIGNER.verify(attempt, BODY, secrets, signatures)


@settings(max_examples=1000, deadline=None)
@given(st.text(max_size=100), st.text(max_size=100), st.binary(max_size=50))
def test_no_made_up_proof_holds_or_breaks(secret: str, said: str, body: bytes) -> None:
    attempt = new_id()
    for secrets, signatures in (([secret], []), ([], [said]), ([], [f"sha256={said}"])):
        with pytest.raises(RejectedWebhook):
            SIGNER.verify(attempt, body, secrets, signatures)


@settings(max_examples=500, deadline=None)
@given(st.integers(0, 70), st.characters())
def test_a_right_signature_with_one_character_changed_does_not_hold(place: int, to: str) -> None:
    attempt = new_id()
    right = signature(SIGNER.secret(attempt))
    changed = right[:place] + to + right[place + 1 :]
    if changed != right:
        with pytest.raises(RejectedWebhook):
            SIGNER.verify(attempt, BODY, [], [changed])


def test_after_a_rotation_both_keys_verify_and_the_newest_signs() -> None:
    attempt = new_id()
    rotated = FluxWebhookSigner([NEW, OLD])
    assert rotated.attempt_of(SIGNER.token(attempt)) == attempt
    rotated.verify(attempt, BODY, [SIGNER.secret(attempt)], [])
    rotated.verify(attempt, BODY, [], [signature(SIGNER.secret(attempt))])
    newest = FluxWebhookSigner([NEW])
    assert newest.attempt_of(rotated.token(attempt)) == attempt
    newest.verify(attempt, BODY, [rotated.secret(attempt)], [])
    with pytest.raises(RejectedWebhook):
        newest.attempt_of(SIGNER.token(attempt))
    with pytest.raises(RejectedWebhook):
        newest.verify(attempt, BODY, [SIGNER.secret(attempt)], [])
