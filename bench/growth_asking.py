"""What callers and people ask for: every route that reads or changes something, once or thrice.

Over the product's own app; the first, the middle and the last of the past are asked for alike.
"""

import io
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from flask.testing import FlaskClient
from growth_rows import Filled, Place
from growth_watch import Watch
from PIL import Image
from werkzeug.test import TestResponse

from service.ids import Kind, first_id, public_id
from service.web.app import create_app
from service.wiring import Wiring

_ORDER = {"model": "flux-2-pro", "input": {"prompt": "a lighthouse"}}


@dataclass(frozen=True)
class Names:
    """The public ids of a place in the past."""

    job: str
    failed: str
    image: str
    delivery: str
    batch: str

    @classmethod
    def of(cls, place: Place) -> "Names":
        """Return those of a place."""
        return cls(
            public_id(Kind.JOB, place.job_id),
            public_id(Kind.JOB, place.failed_id),
            public_id(Kind.IMAGE, place.image_id),
            public_id(Kind.DELIVERY, place.delivery_id),
            public_id(Kind.BATCH, place.batch_id),
        )


class Asking:
    """A caller with a key, and a person who is logged in with the same one."""

    def __init__(self, wiring: Wiring, watch: Watch, filled: Filled) -> None:
        self.wiring, self.watch, self.filled = wiring, watch, filled
        app = create_app(wiring)
        self.api: FlaskClient = app.test_client(use_cookies=False)
        self.person: FlaskClient = app.test_client()
        self.names = [Names.of(place) for place in filled.places]
        drawn = io.BytesIO()
        Image.new("RGB", (256, 256)).save(drawn, "PNG")
        self.picture = drawn.getvalue()
        for form in ("png", "webp"):
            # all images of the past are this one
            wiring.object_store.put_bytes(f"pictures/1.{form}", self.picture, f"image/{form}")

    def everything(self) -> None:
        """Ask for all of it."""
        with self.watch.capturing("every request", is_common=True):
            self._call("GET", "/v1/models")
            self._call("GET", "/v1/project")
        with self.watch.capturing("log in"):
            self.person.post("/login", data={"api_key": self.filled.keys[0].api_key})
        with self.watch.capturing("every page", is_common=True):
            self._page("/new")
        self._hand_in()
        self._lists()
        self._silent()
        for place, names in zip(self.filled.places, self.names, strict=True):
            self._one(names)
            self._deep(place)
        self._manage()
        self._pages()
        self._forms()

    def _hand_in(self) -> None:
        for number in range(3):
            self._ask("POST /v1/jobs", "POST", "/v1/jobs", json=_ORDER)
            found_by = {**_ORDER, "metadata": {"order": f"fresh-{number}", "shop": "15"}}
            self._ask("POST /v1/jobs, with metadata", "POST", "/v1/jobs", json=found_by)
            keyed = {"Idempotency-Key": f"fresh-{number}"}
            self._ask("POST /v1/jobs, keyed", "POST", "/v1/jobs", json=_ORDER, headers=keyed)
            again = "POST /v1/jobs, repeated"
            made = self._ask(again, "POST", "/v1/jobs", json=_ORDER, headers=keyed).get_json()
            self._ask("POST cancel", "POST", f"/v1/jobs/{made['id']}/cancel")
            limited = {"Authorization": f"Bearer {self.filled.keys[1].api_key}"}
            self._ask("POST /v1/jobs, limited", "POST", "/v1/jobs", json=_ORDER, headers=limited)
            batch = {"jobs": [_ORDER] * 3, "callback_url": "http://127.0.0.1:9/hook"}
            for name in ("POST /v1/batches", "POST /v1/batches, repeated"):
                made = self._ask(name, "POST", "/v1/batches", json=batch, headers=keyed).get_json()
            self._ask("POST batch cancel", "POST", f"/v1/batches/{made['id']}/cancel")
        self._ask("POST /v1/price", "POST", "/v1/price", json=_ORDER)
        flux = self._ask("flux, POST", "POST", "/v1/flux-2-pro", json={"prompt": "a lighthouse"})
        self._ask("flux, GET", "GET", f"/v1/get_result?id={flux.get_json()['id']}")
        headers = {"Content-Type": "image/png"}
        sent = self._ask("POST upload", "POST", "/v1/uploads", data=self.picture, headers=headers)
        upload_id = sent.get_json()["id"]
        self._ask("GET upload", "GET", f"/v1/uploads/{upload_id}")
        made_from = {"prompt": "again", "input_image": upload_id}
        from_ours = {**made_from, "input_image": self.names[1].image}
        for name, given in (("an upload", made_from), ("an image", from_ours)):
            order = {"model": "flux-2-pro", "input": given}
            self._ask(f"POST /v1/jobs, of {name}", "POST", "/v1/jobs", json=order)

    def _lists(self) -> None:
        middle = self.filled.places[1].at
        hour = f"created_after={_iso(middle - timedelta(hours=1))}&created_before={_iso(middle)}"
        for query in (
            "", "status=failed", "status=succeeded&model=flux-2-max", "status=queued",
            "model=flux-2-max", "model=flux-0", "metadata.order=4715", "metadata.shop=15",
            "metadata.shop=15&metadata.order=4715", "metadata.shop=none",
            "metadata.shop=15&status=queued", "metadata.shop=15&status=succeeded",
            f"batch={self.names[1].batch}", hour,
        ):  # fmt: skip
            self._ask(f"GET /v1/jobs?{_short(query)}", "GET", f"/v1/jobs?{query}")
        for query in (
            "", "model=flux-2-max", "tag=reel-3", "tag=shelf-3", "favourite=true", "size=small",
            f"parent={self.names[1].image}", "q=fog", "q=zeppelin", "q=lighthouse+in+fog", "q=x",
            "q=fox&model=flux-2-max&tag=reel-3", hour,
        ):  # fmt: skip
            self._ask(f"GET /v1/images?{_short(query)}", "GET", f"/v1/images?{query}")
        for query in ("", "status=exhausted", "status=pending", hour):
            self._ask(f"GET /v1/deliveries?{_short(query)}", "GET", f"/v1/deliveries?{query}")
        self._ask("GET /v1/batches", "GET", "/v1/batches")
        start = self._ask("GET /v1/events, first", "GET", "/v1/events").get_json()
        self._ask("GET /v1/events, next", "GET", f"/v1/events?after={start['next']}")
        self._ask("GET /v1/events, now", "GET", "/v1/events?after=now")
        for path in ("/readyz", "/metrics", "/v1/keys", "/v1/callbacks"):
            self._ask(f"GET {path}", "GET", path)

    def _silent(self) -> None:
        """Ask for lists of a project that had much long ago, and nothing since."""
        mine = {"Authorization": f"Bearer {self.filled.keys[2].api_key}"}
        for path in (
            "jobs", "jobs?status=succeeded", "jobs?status=failed", "jobs?model=flux-2-pro",
            "jobs?metadata.shop=15", "jobs?metadata.shop=19&limit=10", "images",
            "images?model=flux-2-pro", "images?size=small", "images?tag=reel-3", "images?q=fog",
            "deliveries", "deliveries?status=delivered", "batches", "events",
        ):  # fmt: skip
            self._ask(f"silent: GET {path}", "GET", f"/v1/{path}", headers=mine)

    def _one(self, names: Names) -> None:
        for name, path in {
            "GET job": f"jobs/{names.job}",
            "GET job, events": f"jobs/{names.job}/events",
            "GET job, failed": f"jobs/{names.failed}",
            "GET batch": f"batches/{names.batch}",
            "GET delivery": f"deliveries/{names.delivery}",
            "GET deliveries of a job": f"deliveries?job_id={names.job}",
            "GET image": f"images/{names.image}",
            "GET image, content": f"images/{names.image}/content",
            "GET image, thumbnail": f"images/{names.image}/thumbnail",
            "GET image, shares": f"images/{names.image}/shares",
        }.items():
            self._ask(name, "GET", f"/v1/{path}")
        self._ask("POST retry", "POST", f"/v1/jobs/{names.failed}/retry")
        label = {"favourite": True, "tags": ["harbour", "fog"]}
        self._ask("PATCH image", "PATCH", f"/v1/images/{names.image}", json=label)
        path = f"/v1/images/{names.image}/share"
        shared = self._ask("POST share", "POST", path, json={}).get_json()
        token = shared["url"].rpartition("/")[2]
        self._ask("GET share", "GET", f"/share/{token}")
        path = f"/v1/images/{names.image}/shares/{shared['id']}"
        self._ask("DELETE share", "DELETE", path)
        path = f"/v1/deliveries/{names.delivery}/redeliver"
        self._ask("POST redeliver", "POST", path)

    def _deep(self, place: Place) -> None:
        before = first_id(place.at).hex
        for listing in ("jobs", "images", "deliveries", "batches"):
            cursor = self.wiring.cursors.write(listing, [before])
            self._ask(f"GET {listing}, deep", "GET", f"/v1/{listing}?cursor={cursor}")

    def _manage(self) -> None:
        newest = self.filled.newest
        for name, since in (("a day", timedelta(days=1)), ("all", timedelta(days=20_000))):
            body = {"since": _iso(newest - since)}
            path = "/v1/deliveries/redeliver"
            self._ask(f"POST redeliver, since {name}", "POST", path, json=body)
        key = self._ask("POST key", "POST", "/v1/keys", json={"scopes": ["read"]}).get_json()
        self._ask("DELETE key", "DELETE", f"/v1/keys/{key['id']}")
        self._ask("PATCH project", "PATCH", "/v1/project", json={"retention_days": None})
        self._ask(
            "PUT callbacks",
            "PUT",
            "/v1/callbacks",
            json={"url": "http://127.0.0.1:9/hook", "events": ["job.succeeded"]},
        )
        for act in ("rotate-secret", "retire-secret"):
            self._ask(f"POST callbacks, {act}", "POST", f"/v1/callbacks/{act}")

    def _pages(self) -> None:
        (names, other, _) = self.names
        for name, path in {
            "wall and facets": "/",
            "wall, filtered": "/?model=flux-2-max&tag=reel-3",
            "wall, search": "/?q=fog",
            "news": "/news",
            "image": f"/images/{names.image}",
            "facts": f"/images/{names.image}/facts",
            "compare": f"/compare?a={names.image}&b={other.image}",
            "make another": f"/new?like={names.image}",
            "jobs": "/jobs",
            "jobs, failed": "/jobs?status=failed&error=upstream_error",
            "job": f"/jobs/{names.job}",
            "cancel all": "/jobs/all/cancel?status=queued",
            "retry all": "/jobs/all/retry?status=failed",
            "overview": "/overview",
            "overview, 30 days": "/overview?window=30d",
            "account": "/account",
            "zip": f"/images.zip?image={names.image}&image={other.image}",
        }.items():
            with self.watch.capturing(f"page: {name}"):
                self._page(path)
        queued = self._call("GET", "/v1/jobs?status=queued").get_json()["data"]
        for job in queued[:2]:
            with self.watch.capturing("page: job, queued"):
                self._page(f"/jobs/{job['id']}")

    def _forms(self) -> None:
        (names, other, last) = self.names
        both = [names.image, other.image]
        for name, path, form in (
            ("favour", f"/images/{last.image}/favourite", {"favourite": "yes"}),
            ("tags", f"/images/{last.image}/tags", {"add": "a"}),
            ("selection, tag", "/selection", {"act": "tag", "tag": "c", "image": both}),
            ("delete", f"/images/{last.image}/delete", {}),
            ("selection, untag", "/selection", {"act": "untag", "tag": "c", "image": both}),
            ("selection, delete", "/selection", {"act": "delete", "sure": "yes", "image": both}),
            ("end other sessions", "/account/sessions/end", {}),
            ("log out", "/logout", {}),
        ):
            with self.watch.capturing(f"form: {name}"):
                answer = self.person.post(path, data=form, headers=self._token())
            _expect(answer, path)

    def _token(self) -> dict[str, str]:
        with self.person.session_transaction() as session:
            return {"X-Form-Token": session.get("form_token", "")}

    def _page(self, path: str) -> None:
        answer = self.person.get(path)
        _expect(answer, path)

    def _ask(self, name: str, method: str, path: str, **said: Any) -> TestResponse:  # noqa: ANN401 - the client's
        with self.watch.capturing(name):
            return self._call(method, path, **said)

    def _call(self, method: str, path: str, **said: Any) -> TestResponse:  # noqa: ANN401 - the client's
        mine = {"Authorization": f"Bearer {self.filled.keys[0].api_key}"}
        said["headers"] = {**mine, **said.get("headers", {})}
        answer = self.api.open(path, method=method, **said)
        _expect(answer, f"{method} {path}")
        return answer


def _expect(answer: TestResponse, what: str) -> None:
    """Stop where something was refused: its statements would be others."""
    if answer.status_code >= HTTPStatus.BAD_REQUEST and not what.endswith("/readyz"):
        raise RuntimeError(f"{what}: {answer.status_code} {answer.text[:500]}")


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _short(query: str) -> str:
    return (
        "of an hour"
        if query.startswith("created")
        else query.partition("img_")[0].partition("bat_")[0]
    )
