"""Who asks: a program by its API key, a person by the cookie that the key was traded for."""

from flask import Request, g, session

from service.errors import UnknownCaller
from service.keys import Caller, Keys
from service.web.forms import SESSION, form_token, is_logged_in

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


def log_in(keys: Keys, token: str) -> None:
    """Give the browser a fresh signed cookie with a session's token; one that it had ends."""
    log_out(keys)
    session.permanent = True
    session[SESSION] = token
    # now, as two pages that are loaded at once would each make one
    form_token()


def log_out(keys: Keys) -> None:
    """End the browser's session, so that a copy of its cookie is worth nothing either."""
    if is_logged_in():
        keys.sessions.end(session[SESSION])
    session.clear()


def person(keys: Keys) -> Caller:
    """Return who is logged in.

    Raises:
        UnknownCaller: nobody, or somebody whose session or key has ended since.
    """
    caller = keys.sessions.caller(session[SESSION]) if is_logged_in() else None
    if caller is None:
        raise UnknownCaller("Log in with an API key.")
    # an error that is met on the way is still shown below this person's header
    g.caller = caller
    return caller


def this_session() -> str:
    """Return the token of a person who is logged in."""
    token: str = session[SESSION]
    return token
