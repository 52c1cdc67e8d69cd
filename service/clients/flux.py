"""The Flux API we pay: CometAPI's, BFL's, or the simulator's, told apart by one description each.

Facts: CometAPI's page for `POST /flux/v1/{model}`; BFL's OpenAPI of 2026-04 for the answers;
recorded traffic of 2025 for error bodies and statuses.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any, TypeGuard
from urllib.parse import quote, urlsplit

from service import errors
from service.clients.outbound import Answer, Outbound
from service.errors import AddressForbidden, FluxUnavailable
from service.upstream import (
    Accepted,
    NotSent,
    Refused,
    Result,
    SubmitOutcome,
    Unknown,
    read_balance,
    read_cost,
    read_result,
    storable_text,
    without_queries,
)

#: Largest answer that is read, bytes; recorded ones are under 4 KiB.
MAX_ANSWER_BYTES = 256 * 1024
CONNECT_TIMEOUT_SECONDS = 5.0
POLL_TIMEOUT_SECONDS = 10.0
#: How long a 429 may make us wait, seconds.
MAX_RETRY_AFTER_SECONDS = 60.0
_MAX_REASON_CHARS = 500

_REFUSALS = frozenset({400, 401, 402, 403, 404, 405, 413, 415, 422, 429})


@dataclass(frozen=True)
class Provider:
    """How one provider differs from the others."""

    auth_header: str
    auth_prefix: str
    #: Hosts, besides the base URL's own, that may be polled and are shown the key.
    polling_domain: str | None
    #: Where it tells what is left of the account, below the base URL; None if it does not.
    balance_path: str | None


PROVIDERS: Mapping[str, Provider] = {
    "cometapi": Provider("Authorization", "Bearer ", None, None),
    # a task is polled on the cluster that holds it: api.us1.bfl.ai, api.eu2.bfl.ai, … (recorded)
    "bfl": Provider("x-key", "", ".bfl.ai", "credits"),
    "simulator": Provider("x-key", "", None, "credits"),
}


@dataclass(frozen=True)
class FluxClient:
    """Submits once, asks as often as needed."""

    provider: Provider
    base_url: str
    #: Whether the base URL is the operator's own, so that it holds for every model.
    is_overridden: bool
    api_key: str
    outbound: Outbound
    submit_timeout_seconds: float

    def submit(
        self,
        path: str,
        body: Mapping[str, Any],
        before_send: Callable[[], None],
        *,
        server: str | None = None,
    ) -> SubmitOutcome:
        """Send the paid POST once, over a fresh connection, and say what became of it.

        `before_send` is called when the connection stands, right before the first byte; what it
        raises means that nothing was sent. `server` is the base URL of a model that the provider
        serves elsewhere than its others.
        """
        base_url = self.base_url if server is None or self.is_overridden else server
        try:
            answer = self.outbound.post(
                f"{base_url}/{path}",
                body=json.dumps(body).encode(),
                headers={"Content-Type": "application/json", **self._key()},
                total_seconds=self.submit_timeout_seconds,
                connect_seconds=CONNECT_TIMEOUT_SECONDS,
                max_body_bytes=MAX_ANSWER_BYTES,
                guarded=False,
                before_send=before_send,
            )
        except (errors.NotSent, AddressForbidden) as error:
            return NotSent(str(error))
        except errors.OutcomeUnknown as error:
            return Unknown(str(error))
        # upstream repeats what it was sent when it complains of it
        private = [self.api_key, body.get("webhook_url"), body.get("webhook_secret")]
        return _classify(answer, [text for text in private if text])

    def result(self, task_id: str, polling_url: str | None) -> Result:
        """Ask how a task stands.

        Raises:
            FluxUnavailable: no answer that says anything of the task; ask again later.
        """
        try:
            answer = self.outbound.get(
                self._polling_address(task_id, polling_url),
                headers=self._key(),
                total_seconds=POLL_TIMEOUT_SECONDS,
                connect_seconds=CONNECT_TIMEOUT_SECONDS,
                max_body_bytes=MAX_ANSWER_BYTES,
                guarded=not self._is_base(polling_url),
            )
        except (errors.NotSent, errors.OutcomeUnknown, AddressForbidden) as error:
            raise FluxUnavailable(str(error)) from error
        body = _object(answer.body)
        # a failed task may come with status 422 or 503 and a normal body, which then names it; the
        # error of a gateway may have a `status` of its own
        speaks_of_it = answer.status == HTTPStatus.OK or (body or {}).get("id") == task_id
        if body is None or "status" not in body or not speaks_of_it:
            raise FluxUnavailable(f"answered {answer.status} without a word on the task")
        return read_result(body)

    def balance(self) -> Decimal | None:
        """Ask what is left of the account, in credits; None if this provider does not tell.

        Raises:
            FluxUnavailable: it usually tells, but not now.
        """
        if self.provider.balance_path is None:
            return None
        try:
            answer = self.outbound.get(
                f"{self.base_url}/{self.provider.balance_path}",
                headers=self._key(),
                total_seconds=POLL_TIMEOUT_SECONDS,
                connect_seconds=CONNECT_TIMEOUT_SECONDS,
                max_body_bytes=MAX_ANSWER_BYTES,
                guarded=False,
            )
        except (errors.NotSent, errors.OutcomeUnknown, AddressForbidden) as error:
            raise FluxUnavailable(str(error)) from error
        found = read_balance((_object(answer.body) or {}).get("credits"))
        if answer.status != HTTPStatus.OK or found is None:
            raise FluxUnavailable(f"answered {answer.status} without a balance")
        return found

    def _key(self) -> dict[str, str]:
        return {self.provider.auth_header: self.provider.auth_prefix + self.api_key}

    def _is_base(self, polling_url: str | None) -> bool:
        if polling_url is None or not self._may_be_polled(polling_url):
            return True
        return urlsplit(polling_url).netloc == urlsplit(self.base_url).netloc

    def _polling_address(self, task_id: str, polling_url: str | None) -> str:
        if polling_url is not None and self._may_be_polled(polling_url):
            return polling_url
        return f"{self.base_url}/get_result?id={quote(task_id, safe='')}"

    def _may_be_polled(self, polling_url: str) -> bool:
        """Say whether our key may be shown there: the base's origin, or the provider's domain."""
        try:
            said, base = urlsplit(polling_url), urlsplit(self.base_url)
            host = said.hostname or ""
        except ValueError:
            return False
        if (said.scheme, said.netloc) == (base.scheme, base.netloc):
            return True
        domain = self.provider.polling_domain
        return domain is not None and said.scheme == "https" and host.endswith(domain)


@dataclass(frozen=True)
class Upstreams:
    """Every provider that we pay, by name."""

    clients: Mapping[str, FluxClient]

    def submit(
        self,
        provider: str,
        path: str,
        body: Mapping[str, Any],
        before_send: Callable[[], None],
        *,
        server: str | None = None,
    ) -> SubmitOutcome:
        """Send the paid POST to a provider; see `FluxClient.submit`."""
        return self.clients[provider].submit(path, body, before_send, server=server)

    def result(self, provider: str, task_id: str, polling_url: str | None) -> Result:
        """Ask a provider how a task stands.

        Raises:
            FluxUnavailable: it does not say, or is not configured any more.
        """
        client = self.clients.get(provider)
        if client is None:
            raise FluxUnavailable(f"{provider} is not in FLUX_PROVIDER any more")
        return client.result(task_id, polling_url)

    def balance(self, provider: str) -> Decimal | None:
        """Ask a provider what is left of the account; see `FluxClient.balance`."""
        return self.clients[provider].balance()


def _classify(answer: Answer, private: Sequence[str]) -> SubmitOutcome:
    """Say what an answer to the paid POST means; what is not known to be a no may be a yes."""
    status = answer.status
    body = _object(answer.body)
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own ranges
        task_id = (body or {}).get("id")
        if not _is_sound(task_id) or len(task_id) > _MAX_REASON_CHARS:
            return Unknown("accepted, but the answer holds no id", status)
        polling_url = (body or {}).get("polling_url")
        return Accepted(
            task_id=task_id,
            polling_url=polling_url if _is_sound(polling_url) else None,
            cost=read_cost((body or {}).get("cost")),
            http_status=status,
        )
    reason = _reason(body, answer, private)
    if status in _REFUSALS:
        wait_seconds = answer.retry_after_seconds(
            base_seconds=1.0, cap_seconds=MAX_RETRY_AFTER_SECONDS, now=datetime.now(UTC)
        )
        return Refused(status, reason, wait_seconds)
    return Unknown(f"answered {status}: {reason}", status)


def _is_sound(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value != "" and value == storable_text(value)


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _reason(body: Mapping[str, Any] | None, answer: Answer, private: Sequence[str]) -> str:
    """Return upstream's own words: `detail` (BFL), `error.message` (CometAPI), or the status."""
    said = body or {}
    error = said.get("error")
    nested = error.get("message") if isinstance(error, Mapping) else error
    for value in (said.get("detail"), nested, said.get("message")):
        if value:
            text = _words(value)
            for secret in private:
                text = text.replace(secret, "…")
            return without_queries(storable_text(text))[:_MAX_REASON_CHARS]
    return f"status {answer.status}"


def _words(value: object) -> str:
    """Say a complaint in one line; BFL lists them as pydantic does, with place and message."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(one, Mapping) and "msg" in one for one in value):
        return "; ".join(f"{_place(one.get('loc'))}{one['msg']}" for one in value)
    return json.dumps(value)


def _place(loc: object) -> str:
    inside = [str(part) for part in loc if part != "body"] if isinstance(loc, list) else []
    return f"{'.'.join(inside)}: " if inside else ""
