"""A form as a browser would send it back."""

from html.parser import HTMLParser
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse, encode_multipart


class WrittenForm(HTMLParser):
    """The fields of the page's form at `action`, with what a browser would send of each."""

    def __init__(self, answer: TestResponse, action: str = "/new/check") -> None:
        super().__init__()
        self.said: dict[str, str] = {}
        #: The attributes of each field, by its name.
        self.fields: dict[str, dict[str, str]] = {}
        #: The text of each element that has an id.
        self.by_id: dict[str, str] = {}
        self._action = action
        self._inside = False
        self._open: dict[str, str] = {}
        self._select: str | None = None
        self._area: str | None = None
        self.feed(answer.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given and tag in {"p", "div"}:
            self._open[tag] = given["id"]
            self.by_id[given["id"]] = ""
        if tag == "form":
            self._inside = given.get("action") == self._action
        if self._inside:
            if name := given.get("name"):
                self.fields[name] = given
            self._note(tag, given)

    def _note(self, tag: str, given: dict[str, str]) -> None:
        name, kind = given.get("name", ""), given.get("type", "text")
        if tag == "input" and (kind != "checkbox" or "checked" in given) and kind != "file":
            self.said[name] = given.get("value", "on" if kind == "checkbox" else "")
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select:
            if "selected" in given or self._select not in self.said:
                self.said[self._select] = given["value"]
        elif tag == "textarea":
            self._area = name
            self.said[name] = ""

    def handle_endtag(self, tag: str) -> None:
        self._open.pop(tag, None)
        if tag == "textarea" and self._area:
            # the first line break of a textarea is none of its text
            self.said[self._area] = self.said[self._area].removeprefix("\n")
            self._area = None
        elif tag == "select":
            self._select = None
        elif tag == "form":
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._area:
            self.said[self._area] += data
        for id_ in self._open.values():
            self.by_id[id_] += data

    def wrong(self, name: str) -> str:
        """Return what a field is described by as wrong."""
        described = self.fields[name].get("aria-describedby", "").split()
        return " ".join(self.by_id[id_] for id_ in described if id_.endswith("-wrong"))


def sent(browser: FlaskClient, path: str, said: dict[str, Any]) -> TestResponse:
    """Send a form as browsers do: whole, with line breaks of their own."""
    lines = {
        name: text.replace("\n", "\r\n") if isinstance(text, str) else text
        for name, text in said.items()
    }
    boundary, body = encode_multipart(lines)
    return browser.post(path, data=body, content_type=f"multipart/form-data; boundary={boundary}")
