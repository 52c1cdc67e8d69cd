"""Whatever a path names: another project's is as unknown as what nobody ever made."""

from typing import Any

from conftest import Api
from flask.testing import FlaskClient
from web.browser import form_token, log_in
from web.things import is_a_page, made, path_of, rules, unknown

from service.keys import NewKey
from service.wiring import Wiring

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
#: Pages name the request, too.
SAME_ID = {"X-Request-Id": "the-same"}


class Walker:
    """A person and a program of one project, who go everywhere."""

    def __init__(self, client: FlaskClient, key: NewKey) -> None:
        self._browser = log_in(client, key)
        self._program = client.application.test_client()
        self._form = form_token(client)
        self._proof = Api(client, key.api_key).headers(X_Key=key.api_key)

    def ask(self, method: str, path: str, *, page: bool) -> Any:  # noqa: ANN401 - werkzeug's
        """Ask with everything that the route may want but what its path names."""
        body: dict[str, Any] = {"data": self._form} if page else {"json": {}}
        headers = {"Accept": "text/html"} if page else self._proof
        client = self._browser if page else self._program
        return client.open(path, method=method, headers=headers | SAME_ID, **body)


def whole(answer: Any) -> tuple[int, bytes, list[tuple[str, str]]]:  # noqa: ANN401 - werkzeug's
    """Return all that a caller sees of an answer."""
    kept = [(name, value) for name, value in answer.headers if name != "Date"]
    return answer.status_code, answer.data, kept


def test_another_projects_things_are_as_unknown_as_made_up_ones(
    client: FlaskClient, wiring: Wiring, key: NewKey, other_key: NewKey
) -> None:
    app = client.application
    mine, theirs, nobodys = made(wiring, key), made(wiring, other_key), unknown()
    walker = Walker(client, key)
    walked = 0
    for rule in rules(app):
        if not set(rule.arguments) & set(nobodys):
            continue
        page = is_a_page(rule)
        for method in METHODS:
            shown, guessed = (
                whole(walker.ask(method, path_of(app, rule, ids), page=page))
                for ids in (theirs, nobodys)
            )
            assert shown == guessed, (method, rule.rule)
            if method in (rule.methods or set()) - {"OPTIONS"}:
                assert shown[0] == 404, (method, rule.rule)
                walked += 1
        # the walk asks in the right way: what is one's own is there
        own = walker.ask(min(rule.methods or set()), path_of(app, rule, mine), page=page)
        assert own.status_code != 404, rule.rule
    assert walked >= 18


def test_one_of_mine_beside_one_of_theirs_opens_nothing(
    client: FlaskClient, wiring: Wiring, key: NewKey, other_key: NewKey
) -> None:
    app = client.application
    mine, theirs = made(wiring, key), made(wiring, other_key)
    walker = Walker(client, key)
    mixed = [rule for rule in rules(app) if len(set(rule.arguments) & set(mine)) > 1]
    assert mixed
    for rule in mixed:
        for name in rule.arguments:
            path = path_of(app, rule, {**mine, name: theirs[name]})
            for method in (rule.methods or set()) - {"OPTIONS"}:
                assert walker.ask(method, path, page=is_a_page(rule)).status_code == 404


def test_what_a_query_or_body_names_is_as_unknown_as_made_up(
    client: FlaskClient, wiring: Wiring, key: NewKey, other_key: NewKey
) -> None:
    api, theirs, nobodys = Api(client, key.api_key), made(wiring, other_key), unknown()

    def edit(ids: dict[str, str], kind: str) -> dict[str, Any]:
        picture = {"prompt": "x", "input_image": ids[kind]}
        return {"model": "flux-2-pro", "input": picture}

    for query in (
        "/v1/images?parent={image_id}",
        "/v1/deliveries?job_id={job_id}",
        "/v1/get_result?id={job_id}",
    ):
        answers = [
            api.get(query.format(**ids), X_Key=key.api_key).data.replace(
                ids["job_id"].encode(), b"the id"
            )
            for ids in (theirs, nobodys)
        ]
        assert answers[0] == answers[1], query
    for path in ("/v1/jobs", "/v1/price"):
        for kind in ("image_id", "upload_id"):
            said = [api.post(path, edit(ids, kind)) for ids in (theirs, nobodys)]
            assert [one.status_code for one in said] == [422, 422], (path, kind)
            shown = [
                one.data.replace(ids[kind].encode(), b"the id")
                for one, ids in zip(said, (theirs, nobodys), strict=True)
            ]
            assert shown[0] == shown[1], (path, kind)
