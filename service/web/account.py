"""The account: what the key that a person logged in with may do, and where it is logged in."""

from http import HTTPStatus
from typing import Any

from flask import Blueprint, redirect, render_template, url_for
from sqlalchemy import Row
from werkzeug.wrappers import Response

from service.documents import Document, api_key, when
from service.errors import NotFound
from service.ids import Kind, public_id, read_id
from service.keys import Caller
from service.web.auth import log_out, this_session
from service.web.login import guard_pages, page_for
from service.wiring import Wiring


def account_blueprint(wiring: Wiring) -> Blueprint:
    """Return the account's page and what its buttons do."""
    routes = Blueprint("account", __name__, url_prefix="/account")
    guard_pages(routes)
    page, sessions = page_for(wiring.keys), wiring.keys.sessions

    @routes.get("")
    @page
    def account(caller: Caller) -> str:
        return render_template(
            "account.html",
            caller=caller,
            key=api_key(wiring.keys.one(caller.key_id)),
            sessions=[_session(row) for row in sessions.of(caller.key_id, this_session())],
            base_url=wiring.settings.base_url,
        )

    @routes.post("/sessions/<session_id>/end")
    @page
    def end(caller: Caller, session_id: str) -> Response:
        found = read_id(Kind.SESSION, session_id)
        if found is None or not sessions.end_one(caller.key_id, found):
            raise NotFound("There is no such session, or it has ended.")
        return redirect(url_for("account.account", _anchor="sessions"), HTTPStatus.SEE_OTHER)

    @routes.post("/sessions/end")
    @page
    def end_all(caller: Caller) -> Response:
        sessions.end_all(caller.key_id)
        log_out(wiring.keys)
        return redirect(url_for("login.form"), HTTPStatus.SEE_OTHER)

    return routes


def _session(row: Row[Any]) -> Document:
    return {
        "id": public_id(Kind.SESSION, row.id),
        "created_at": when(row.created_at),
        "last_seen_at": when(row.last_seen_at),
        "is_this": row.is_this,
    }
