"""`/docs` shows the document with nothing from elsewhere, and nothing that a page could inject."""

from flask.testing import FlaskClient
from web.browser import AS_BROWSER, CSP, Page


def test_the_docs_load_only_what_we_serve(client: FlaskClient) -> None:
    answer = client.get("/docs", headers=AS_BROWSER)
    page = Page(answer)
    loaded = [
        attributes.get("src") or attributes["href"]
        for tag, attributes in page.tags
        if tag in {"script", "link"}
    ]
    assert len(loaded) == 5
    for address in loaded:
        assert address.startswith("/"), address
        with client.get(address) as found:
            assert found.status_code == 200, address
    assert [attributes["data-document"] for tag, attributes in page.tags if tag == "main"] == [
        "/openapi.json"
    ]


def test_no_script_and_no_style_in_the_docs_is_inline(client: FlaskClient) -> None:
    answer = client.get("/docs", headers=AS_BROWSER)
    policy = dict(part.split(" ", 1) for part in answer.headers[CSP].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    tags = Page(answer).tags
    assert all(attributes.get("src") for tag, attributes in tags if tag == "script")
    assert not [tag for tag, attributes in tags if tag == "style" or "style" in attributes]


def test_the_docs_serve_no_other_file(client: FlaskClient) -> None:
    for name in ("LICENSE", "oauth2-redirect.html", "../flask_swagger_ui.py", "swagger-ui.js"):
        assert client.get(f"/docs/{name}").status_code == 404, name


def test_without_javascript_the_docs_lead_to_the_document(client: FlaskClient) -> None:
    assert "/openapi.json" in Page(client.get("/docs", headers=AS_BROWSER)).links()
