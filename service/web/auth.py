"""Who asks: a program by its API key, a person by the cookie that the key was traded for."""

from uuid import UUID

from flask import Request, session

from service.errors import UnknownCaller
from service.keys import Caller, Keys
from service.web.forms import form_token

_BEARER = "bearer "


def bearer(request: Request, keys: Keys) -> Caller:
    """Return who holds the request's API key.

    Raises:
        UnknownCaller: no key, or none that is valid.
    """
    # sent twice it reaches us joined by a comma, which no key has
    text = request.headers.get("Authorization", "")
    key = text[len(_BEARER) :].strip() if text.lower().startswith(_BEARER) else ""
    return keys.caller(key)


def flux_key(request: Request, keys: Keys) -> Caller:
    """Return who holds the key of a Flux client's request.

    BFL's clients send `x-key`, CometAPI's `Authorization`, with `Bearer` or bare; either is taken
    on every path, so that nobody has to change more than the base URL.

    Raises:
        UnknownCaller: no key, or none that is valid.
    """
    text = request.headers.get("X-Key") or request.headers.get("Authorization", "")
    return keys.caller(text[len(_BEARER) :].strip() if text.lower().startswith(_BEARER) else text)


def log_in(caller: Caller) -> None:
    """Remember a person in a fresh signed cookie."""
    session.clear()
    session.permanent = True
    session["key"] = caller.key_id.hex
    # now, as two pages that are loaded at once would each make one
    form_token()


def person(keys: Keys) -> Caller:
    """Return who is logged in.

    Raises:
        UnknownCaller: nobody, or with a key that was revoked since.
    """
    key_id = session.get("key")
    try:
        caller = keys.caller_with(UUID(hex=key_id)) if isinstance(key_id, str) else None
    except ValueError:
        caller = None
    if caller is None:
        raise UnknownCaller("Log in with an API key.")
    return caller
