"""Forms of our pages: what changes something was sent by a page of ours, in the same session."""

import hmac
import secrets
from urllib.parse import urlsplit

from flask import request, session
from werkzeug.exceptions import Forbidden

from service.web.ways import origins

#: The hidden field of every form, and the header of what a script sends without one.
FIELD = "form_token"
HEADER = "X-Form-Token"
#: What the cookie holds of whoever is logged in: the token of a session.
SESSION = "session"
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_LOG_INS = frozenset({"login.login", "login.use_link"})


def form_token() -> str:
    """Return what the forms of this session carry; another site cannot read it."""
    token: str = session.setdefault(FIELD, secrets.token_urlsafe(32))
    return token


def is_logged_in() -> bool:
    """Whether the cookie names a session, which may have ended."""
    return SESSION in session


def is_script() -> bool:
    """Whether a script of a page asks, which puts the answer into it."""
    return "HX-Request" in request.headers


def refuse_foreign_form() -> None:
    """Refuse what would change something and was not sent by a page of ours.

    Raises:
        Forbidden: it came from another site, or without this session's token.
    """
    if request.method in _READING:
        return
    _refuse_other_sites()
    # whoever is not logged in has no session to act in: what a log-in takes is the key itself
    if is_logged_in() and request.endpoint not in _LOG_INS:
        said = request.form.get(FIELD) or request.headers.get(HEADER, "")
        if not hmac.compare_digest(said.encode(), form_token().encode()):
            raise Forbidden("This form is out of date. Load its page again.")


def _refuse_other_sites() -> None:
    """Heed everything that a browser says about where a form came from; programs say nothing."""
    ours = origins()
    named = [request.headers.get(name) for name in ("Origin", "Referer")]
    try:
        is_ours = all(urlsplit(place)[:2] in ours for place in named if place is not None)
    except ValueError:
        is_ours = False
    fetched_by = request.headers.get("Sec-Fetch-Site", "same-origin")
    if not is_ours or fetched_by not in {"same-origin", "none"}:
        raise Forbidden("This form came from another site.")
