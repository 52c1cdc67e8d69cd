"""`GET /v1/jobs`: pages, filters, cursors."""

from datetime import timedelta
from urllib.parse import quote

from conftest import Api
from factories import job, known_job, put

from service.ids import Kind, new_id, public_id
from service.wiring import Wiring

BODY = {"model": "flux-2-pro", "input": {"prompt": "a lighthouse", "width": 256, "height": 256}}


def test_pages_show_every_row_once_newest_first(api: Api) -> None:
    made = [api.post("/v1/jobs", BODY).json["id"] for _ in range(7)]
    seen: list[str] = []
    path = "/v1/jobs?limit=3&model=flux-2-pro"
    sizes = []
    while path:
        page = api.get(path)
        seen += [document["id"] for document in page.json["data"]]
        sizes.append(len(page.json["data"]))
        link = page.headers.get("Link")
        assert (link is None) == (page.json["next"] is None)
        assert link is None or link.endswith('>; rel="next"')
        path = link[1 : link.index(">")] if link else ""
        assert not path or ("limit=3" in path and page.json["next"] in path)
    assert seen == made[::-1]
    assert sizes == [3, 3, 1]


def test_a_full_last_page_has_no_next(api: Api) -> None:
    for _ in range(2):
        api.post("/v1/jobs", BODY)
    assert api.get("/v1/jobs?limit=2").json["next"] is None


def test_a_row_added_meanwhile_moves_no_page(api: Api) -> None:
    made = [api.post("/v1/jobs", BODY).json["id"] for _ in range(4)]
    first = api.get("/v1/jobs?limit=2").json
    api.post("/v1/jobs", BODY)
    second = api.get(f"/v1/jobs?limit=2&cursor={first['next']}").json
    assert [document["id"] for document in first["data"] + second["data"]] == made[::-1]


def test_a_list_is_filtered_by_status_model_and_time(api: Api) -> None:
    queued = api.post("/v1/jobs", BODY).json
    withdrawn = api.post("/v1/jobs", {**BODY, "model": "flux-2-max"}).json
    api.post(f"/v1/jobs/{withdrawn['id']}/cancel")

    def ids(query: str) -> list[str]:
        return [document["id"] for document in api.get(f"/v1/jobs?{query}").json["data"]]

    assert ids("status=queued") == [queued["id"]]
    assert ids("status=canceled") == [withdrawn["id"]]
    assert ids("status=failed") == []
    assert ids("model=flux-2-max") == [withdrawn["id"]]
    assert ids("model=flux-2-max&status=queued") == []
    long_ago, far_ahead = "1999-12-31T23:59:59Z", "2100-01-01T00:00:00%2B01:00"
    assert ids(f"created_before={far_ahead}") == [withdrawn["id"], queued["id"]]
    assert ids(f"created_after={long_ago}&created_before={queued['created_at']}") == []
    assert ids(f"created_after={far_ahead}") == []


def test_a_list_is_filtered_by_metadata(api: Api) -> None:
    first = api.post("/v1/jobs", {**BODY, "metadata": {"order": "17", "shop": "b"}}).json["id"]
    second = api.post("/v1/jobs", {**BODY, "metadata": {"order": "18", "shop": "b"}}).json["id"]

    def ids(query: str) -> list[str]:
        return [document["id"] for document in api.get(f"/v1/jobs?{query}").json["data"]]

    assert ids("metadata.order=17") == [first]
    assert ids("metadata.shop=b") == [second, first]
    assert ids("metadata.shop=b&metadata.order=18") == [second]
    assert ids("metadata.order=19") == []


def test_a_list_is_filtered_by_batch_and_by_all_at_once(api: Api, wiring: Wiring) -> None:
    one, other = (api.post("/v1/jobs", {**BODY, "metadata": {"shop": shop}}).json for shop in "ab")
    batch_id = new_id()
    for document in (one, other):
        put(wiring, known_job(document), batch_id=batch_id)
    api.post("/v1/jobs", BODY)

    def ids(query: str) -> list[str]:
        return [document["id"] for document in api.get(f"/v1/jobs?{query}").json["data"]]

    batch = public_id(Kind.BATCH, batch_id)
    assert ids(f"batch={batch}") == [other["id"], one["id"]]
    assert ids(f"batch={public_id(Kind.BATCH, new_id())}") == []
    every = (
        f"batch={batch}&metadata.shop=a&status=queued&model=flux-2-pro"
        "&created_after=2000-01-01T00:00:00Z&created_before=2100-01-01T00:00:00Z"
    )
    assert ids(every) == [one["id"]]
    assert ids(every.replace("queued", "failed")) == []


def test_a_job_is_found_by_its_time_though_its_ids_clock_went_wrong(
    api: Api, wiring: Wiring
) -> None:
    made = api.post("/v1/jobs", BODY).json
    at = job(wiring, known_job(made)).created_at
    for away in (timedelta(minutes=-4), timedelta(minutes=4)):
        moved = at + away
        put(wiring, known_job(made), created_at=moved)
        after, before = (
            quote((moved + edge).isoformat())
            for edge in (timedelta(milliseconds=-1), timedelta(milliseconds=1))
        )
        found = api.get(f"/v1/jobs?created_after={after}&created_before={before}").json["data"]
        assert [document["id"] for document in found] == [made["id"]]


WRONG_QUERIES = [
    ("batch=17", "/batch"),
    ("batch=job_" + "0" * 32, "/batch"),
    ("status=queued&status=failed", "/status"),
    ("metadata.a=1&metadata.a=2", "/metadata.a"),
    ("limit=1&limit=2", "/limit"),
    (f"model={'a' * 101}", "/model"),
    (f"metadata.a={'a' * 257}", "/metadata.a"),
    ("status=done", "/status"),
    ("limit=0", "/limit"),
    ("limit=201", "/limit"),
    ("limit=1e9", "/limit"),
    ("limit=-1", "/limit"),
    ("limit=", "/limit"),
    ("limit=%D9%A3", "/limit"),
    # one that a check of its first digits would let through
    ("limit=000000200999", "/limit"),
    # one that int() itself refuses
    (f"limit=000000001{'9' * 5000}", "/limit"),
    ("created_after=yesterday", "/created_after"),
    ("created_after=2026-11-22T12:00:00", "/created_after"),
    ("created_after=1760000000", "/created_after"),
    ("created_before=0001-01-01T00:00:00%2B14:00", "/created_before"),
    ("created_before=9999-12-31T23:59:59-14:00", "/created_before"),
    ("cursor=", "/cursor"),
    ("cursor=WyIwMSJd", "/cursor"),
    (f"cursor={'A' * 2000}", "/cursor"),
    ("cursor=%F0%9F%96%BC", "/cursor"),
]


def test_a_wrong_query_is_refused_by_name(api: Api) -> None:
    for query, pointer in WRONG_QUERIES:
        refused = api.get(f"/v1/jobs?{query}")
        assert refused.status_code == 422, query
        assert [error["pointer"] for error in refused.json["errors"]] == [pointer], query


def test_a_name_that_no_list_knows_is_refused_so_that_no_filter_is_lost(api: Api) -> None:
    for query in (
        "/v1/jobs?statsu=failed",
        "/v1/jobs?metadata[order]=17",
        "/v1/jobs?metadata=17",
        "/v1/images?status=failed",
        "/v1/images?metadata.order=17",
        "/v1/batches?created_after=2026-11-22T12:00:00Z",
        "/v1/deliveries?batch=x",
        # the name that the other lists have: it would begin anew without end
        "/v1/events?cursor=x",
    ):
        refused = api.get(query)
        assert refused.status_code == 422, query
        (error,) = refused.json["errors"]
        assert error["pointer"] == "/" + query.partition("?")[2].partition("=")[0]
        assert error["detail"].startswith("unknown field")
    assert "did you mean status?" in api.get("/v1/jobs?statsu=x").json["errors"][0]["detail"]
    # what means nothing to any list changes nothing
    for query in ("tenant=other", "owner=other", "api_key_id=key_0", "project=other", "_=1"):
        assert api.get(f"/v1/jobs?{query}").status_code == 200, query
    # what is asked with one thing's id has no filter to lose
    assert api.get("/v1/project?_=1").status_code == 200


def test_a_cursor_opens_only_the_list_it_came_from(api: Api) -> None:
    for _ in range(2):
        api.post("/v1/jobs", BODY)
    cursor = api.get("/v1/jobs?limit=1").json["next"]
    assert api.get(f"/v1/images?cursor={cursor}").status_code == 422
    changed = ("A" if cursor[0] != "A" else "B") + cursor[1:]
    assert api.get(f"/v1/jobs?cursor={changed}").status_code == 422


def test_nul_in_a_query_is_refused(api: Api) -> None:
    for listing in ("/v1/jobs", "/v1/images"):
        for query in ("model=%00", "cursor=a%00", "status=%00", "q=%00", "%00=1"):
            assert api.get(f"{listing}?{query}").status_code == 400, query
