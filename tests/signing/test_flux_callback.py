"""Which secrets can be sent back, and what proves a callback to a Flux client."""

import http.client
import io
import string

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from service.signing.flux_callback import can_be_sent, flux_callback_headers


def test_both_proofs_are_those_of_a_known_body() -> None:
    # by openssl dgst -sha256 -hmac
    signature = "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"
    body = b"The quick brown fox jumps over the lazy dog"
    assert flux_callback_headers(body, "key") == {
        "X-Webhook-Secret": "key",
        "X-BFL-Signature": f"sha256={signature}",
    }


def test_without_a_secret_there_is_no_proof() -> None:
    assert flux_callback_headers(b"{}", None) == {}


@pytest.mark.parametrize(
    "secret", ["", " ", " a", "a ", "a\nb", "a\x00b", "a\x7f", "ä", "a" * 1025]
)
def test_what_a_header_would_change_cannot_be_sent(secret: str) -> None:
    assert not can_be_sent(secret)


@settings(max_examples=300)
@given(st.text(string.printable + "ä\x7f\u2028", max_size=20))
def test_what_can_be_sent_arrives_as_it_was(secret: str) -> None:
    assume(can_be_sent(secret))
    head = io.BytesIO(f"X-Webhook-Secret: {secret}\r\n\r\n".encode("ascii"))
    assert http.client.parse_headers(head)["X-Webhook-Secret"] == secret
