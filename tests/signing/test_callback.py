"""What we sign, the independent library accepts."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from service.ids import Kind, new_id, public_id
from service.signing.callback import callback_headers, new_callback_secret

BODY = '{"type":"job.succeeded","data":{"prompt":"naïve 🖼"}}'
ID = public_id(Kind.DELIVERY, new_id())


def test_the_library_accepts_what_we_sign() -> None:
    secret = new_callback_secret()
    headers = callback_headers(ID, BODY, [secret], datetime.now(UTC))
    assert list(headers) == ["webhook-id", "webhook-timestamp", "webhook-signature"]
    assert Webhook(secret).verify(BODY.encode(), headers)["type"] == "job.succeeded"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY.encode() + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_callback_secret()).verify(BODY.encode(), headers)


def test_the_published_construction_gives_the_same_signature() -> None:
    # the library's own known answer: id, time, body and key as in its recorded vectors
    secret = "whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"
    body = '{"type":"job.succeeded","timestamp":"2026-01-15T10:30:00Z","data":{"job_id":"018f"}}'
    moment = datetime.fromtimestamp(1_760_000_000, UTC)
    headers = callback_headers("msg_018f3c2a", body, [secret], moment)
    assert headers == {
        "webhook-id": "msg_018f3c2a",
        "webhook-timestamp": "1760000000",
        "webhook-signature": "v1,miKyqKAFF7Uo9F7hrc+XLnpvlcOoSn/NYnqY3VM88Tk=",
    }


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(-14, 14))
def test_any_body_in_any_zone_is_signed_as_the_specification_says(body: str, hours: int) -> None:
    secret = new_callback_secret()
    now = datetime.now(timezone(timedelta(hours=hours)))
    headers = callback_headers(ID, body, [secret], now)
    signed = f"{ID}.{int(now.timestamp())}.{body}".encode()
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"
    assert headers["webhook-timestamp"] == str(int(now.timestamp()))


def test_during_a_rotation_old_and_new_secret_both_open_it() -> None:
    new, old = new_callback_secret(), new_callback_secret()
    headers = callback_headers(ID, BODY, [new, old], datetime.now(UTC))
    assert headers["webhook-signature"].count("v1,") == 2
    for secret in (new, old):
        Webhook(secret).verify(BODY.encode(), headers)


def test_a_later_try_has_the_same_id_and_its_own_time() -> None:
    secret = new_callback_secret()
    first = callback_headers(ID, BODY, [secret], datetime(2026, 1, 1, tzinfo=UTC))
    later = callback_headers(ID, BODY, [secret], datetime(2026, 1, 2, tzinfo=UTC))
    assert first["webhook-id"] == later["webhook-id"]
    assert first["webhook-timestamp"] != later["webhook-timestamp"]
    assert first["webhook-signature"] != later["webhook-signature"]


def test_a_secret_is_256_random_bits_and_an_id_has_no_dot() -> None:
    secrets = {new_callback_secret() for _ in range(50)}
    assert len(secrets) == 50
    assert all(len(base64.b64decode(secret.removeprefix("whsec_"))) == 32 for secret in secrets)
    # a dot would move the boundary between id and time in what is signed
    assert "." not in ID
