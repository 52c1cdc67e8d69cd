"""Who asks: one valid key, in one place, and everything else is nobody."""

from conftest import Api
from flask.testing import FlaskClient

from service.ids import Kind, new_id, public_id
from service.keys import NewKey
from service.web.flux_problems import speaks_flux
from service.wiring import Wiring

#: What answers without a key: health, the receiver, signed links, and the pages' log-in.
PUBLIC = (
    "/healthz", "/readyz", "/metrics", "/webhooks/", "/flux/samples/", "/login", "/static/",
    "/logout", "/share/", "/openapi.json", "/docs",
)  # fmt: skip


def test_a_key_opens_its_project_in_any_case_of_the_scheme(
    client: FlaskClient, key: NewKey
) -> None:
    for scheme in ("Bearer", "bearer", "BEARER"):
        said = client.get("/v1/jobs", headers={"Authorization": f"{scheme} {key.api_key}"})
        assert said.status_code == 200


def test_what_is_no_valid_key_is_answered_401_alike(client: FlaskClient, key: NewKey) -> None:
    good = key.api_key
    wrong = [
        None, "", "Bearer", "Bearer ", f"Basic {good}", good, f"Bearer {good} {good}",
        f"Bearer {good},Bearer {good}", f"Bearer {good[:-1]}", f"Bearer {good}A", "Bearer k",
        "Bearer dk_" + "a" * 28, "Bearer dk_" + "a" * 43, "Bearer dk_" + "a" * 10_000,
        f"Bearer {good.upper()}", f"Bearer {good[:20]}\x00", "Bearer é" + good, f"Token {good}",
        f"Bearer {good};", f"Bearer '{good}'",
    ]  # fmt: skip
    seen = set()
    for text in wrong:
        headers = {} if text is None else {"Authorization": text}
        said = client.get("/v1/jobs", headers=headers)
        assert said.status_code == 401, text
        assert said.headers["WWW-Authenticate"] == 'Bearer realm="darkroom"'
        seen.add(said.data)
    assert len(seen) == 1


def test_a_key_in_the_query_or_a_cookie_is_no_key(client: FlaskClient, key: NewKey) -> None:
    for name in ("api_key", "key", "token", "access_token"):
        assert client.get(f"/v1/jobs?{name}={key.api_key}").status_code == 401
    client.set_cookie("api_key", key.api_key)
    assert client.get("/v1/jobs").status_code == 401


def test_the_gallerys_cookie_opens_no_api(client: FlaskClient, key: NewKey) -> None:
    assert client.post("/login", data={"api_key": key.api_key}).status_code in {302, 303}
    assert client.get("/v1/jobs").status_code == 401


def test_a_revoked_key_is_refused_at_once_and_its_jobs_stay(
    api: Api, wiring: Wiring, key: NewKey
) -> None:
    job = api.post("/v1/jobs", {"model": "flux-2-pro", "input": {"prompt": "x"}}).json
    assert wiring.keys.revoke(key.key_id)
    assert api.get(f"/v1/jobs/{job['id']}").status_code == 401
    fresh = Api(api.client, wiring.keys.create(key.project).api_key)
    assert fresh.get(f"/v1/jobs/{job['id']}").json["status"] == "queued"


def test_every_route_of_the_api_asks_for_a_key(client: FlaskClient) -> None:
    walked = 0
    for rule in client.application.url_map.iter_rules():
        if rule.rule.startswith(PUBLIC):
            continue
        path = rule.rule
        # of Flux's own API: a model, and the id without which get_result says nothing of keys
        path = path.replace("<path:rest>", "2-pro").replace("/get_result", "/get_result?id=x")
        for name in rule.arguments:
            kind = Kind.IMAGE if "image" in name else Kind.JOB
            path = path.replace(f"<{name}>", public_id(kind, new_id()))
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            said = client.open(path, method=method)
            refused = 403 if speaks_flux(rule.rule) else 401
            assert said.status_code == refused or (
                said.status_code in {302, 303} and "/login" in said.headers["Location"]
            ), (method, path)
            walked += 1
    assert walked >= 16


def test_a_body_is_not_read_before_the_key_is_known(client: FlaskClient) -> None:
    said = client.post("/v1/jobs", data=b"{" * 100, content_type="application/json")
    assert said.status_code == 401


def test_no_query_names_another_project(api: Api, other: Api) -> None:
    other.post("/v1/jobs", {"model": "flux-2-pro", "input": {"prompt": "x"}})
    for name in ("tenant", "owner", "project", "project_id", "api_key_id"):
        assert api.get(f"/v1/jobs?{name}=other").json["data"] == [], name
        assert api.get(f"/v1/images?{name}=other").json["data"] == [], name
