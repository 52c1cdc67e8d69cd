"""Presence: who answers at PUBLIC_URL holds a key of ours."""

import secrets

import pytest

from service.signing.presence import PresenceSigner

NEW, OLD, OTHER = "n" * 32, "o" * 32, "x" * 32


@pytest.fixture
def challenge() -> str:
    return secrets.token_hex(16)


@pytest.mark.parametrize(
    ("web", "worker"),
    [([NEW], [NEW]), ([NEW, OLD], [OLD]), ([OLD], [NEW, OLD]), ([NEW, OLD], [NEW])],
)
def test_any_key_in_common_will_do(web: list[str], worker: list[str], challenge: str) -> None:
    proofs = PresenceSigner(web).proofs(challenge)
    assert PresenceSigner(worker).is_ours(challenge, proofs)


def test_another_deployments_answer_and_an_older_one_are_not_ours(challenge: str) -> None:
    signer = PresenceSigner([NEW])
    assert not signer.is_ours(challenge, PresenceSigner([OTHER]).proofs(challenge))
    assert not signer.is_ours(challenge, signer.proofs(secrets.token_hex(16)))


@pytest.mark.parametrize(
    "proofs", [None, {}, "proofs", 7, [], [None], [[]], ["é"], ["\ud800"], ["a" * 5000]]
)
def test_whatever_else_is_answered_is_not_ours(proofs: object, challenge: str) -> None:
    assert not PresenceSigner([NEW]).is_ours(challenge, proofs)


@pytest.mark.parametrize("challenge", ["", "ab", "z" * 32, "A" * 32, "a" * 33, "٣" * 32])
def test_only_challenges_are_signed(challenge: str) -> None:
    assert PresenceSigner([NEW]).proofs(challenge) == []
