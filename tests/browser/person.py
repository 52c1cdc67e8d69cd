"""Somebody at a browser, and the project whose pages they open."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

import urllib3
from journeys.running_service import RunningService
from playwright.sync_api import Browser, Request, expect

CHROMIUM = "/usr/bin/chromium"
#: Root has no sandbox here, and Chromium must not look for hosts of its maker's.
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
#: Where a run of the tests keeps its pictures of the pages.
SHOTS = Path(__file__).parents[2] / "test-artefacts" / "screenshots"
WIDTHS_PX = (390, 768, 1440)
HEIGHT_PX = 900
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
#: Playwright's own waits end after so long, milliseconds.
PATIENCE_MS = 20_000
expect.set_options(timeout=PATIENCE_MS)

_AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text()
_NOTE_REFUSALS = """
window.refusals = [];
addEventListener("securitypolicyviolation", (refused) => {
  refusals.push(`${refused.violatedDirective} ${refused.blockedURI}`);
});
"""
_HTTP = urllib3.PoolManager(retries=False, timeout=70)


@dataclass(frozen=True)
class Project:
    """A project of a test's own, as its programs see it."""

    service: RunningService
    name: str
    api_key: str

    @classmethod
    def made(cls, service: RunningService, name: str) -> Self:
        key = json.loads(service.command("keys", "create", "--project", name, "--json"))
        return cls(service, name, key["api_key"])

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Any:  # noqa: ANN401 - JSON
        """Ask the API and return what it says; it must not refuse."""
        answer = _HTTP.request(
            method,
            f"{self.service.url}{path}",
            headers={"Authorization": f"Bearer {self.api_key}", **headers},
            json=body,
        )
        assert answer.status < 400, answer.data
        return answer.json() if answer.data else None

    def enqueue(
        self, prompt: str = "a lighthouse", *, wait_seconds: int = 0, **more: object
    ) -> Any:  # noqa: ANN401 - JSON
        """Hand in a job and return it; what a job's body does not know belongs to its input."""
        beside = {name: more.pop(name) for name in list(more) if name in _BESIDE_INPUT}
        given = {"prompt": prompt, "width": 256, "height": 256, **more}
        body = {"model": "flux-2-pro", "input": given, **beside}
        return self.call("POST", "/v1/jobs", body, Prefer=f"wait={wait_seconds}")

    def image(self, prompt: str = "a lighthouse", **more: object) -> Any:  # noqa: ANN401 - JSON
        """Hand in a job, wait until it is stored, and return its image, with `job_id`."""
        job = self.enqueue(prompt, wait_seconds=60, **more)
        assert job["status"] == "succeeded", job["error"]
        return {**job["images"][0], "job_id": job["id"]}


_BESIDE_INPUT = {
    "callback_url",
    "callback_events",
    "metadata",
    "priority",
    "start_at",
    "expires_at",
}


class Person:
    """A browser's tab, with nothing in its memory yet; all that it loads is watched."""

    def __init__(self, browser: Browser, url: str, *, javascript: bool = True) -> None:
        self.url = url
        self._scripted = javascript
        self.context = browser.new_context(
            base_url=url,
            java_script_enabled=javascript,
            viewport={"width": WIDTHS_PX[-1], "height": HEIGHT_PX},
            reduced_motion="reduce",
        )
        self.context.set_default_timeout(PATIENCE_MS)
        if javascript:
            self.context.add_init_script(_NOTE_REFUSALS)
        self.page = self.context.new_page()
        self.strangers: list[str] = []
        self.errors: list[str] = []
        self.refused: list[str] = []
        self.context.on("request", self._note)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on(
            "console",
            lambda said: (
                self.refused.append(said.text) if "Content Security" in said.text else None
            ),
        )

    def _note(self, request: Request) -> None:
        place = urlsplit(request.url)
        if place.scheme not in {"data", "blob"} and place.hostname != "127.0.0.1":
            self.strangers.append(request.url)

    def log_in(self, api_key: str) -> None:
        """Log in by the form, as a first visit does."""
        self.page.goto("/login")
        self.page.get_by_label("API key").fill(api_key)
        self.page.get_by_role("main").get_by_role("button", name="Log in").click()
        self.page.get_by_role("button", name="Log out").wait_for()

    def shoot(self, name: str, *, whole: bool = True) -> None:
        """Keep pictures of the page in every width and scheme, and find it without fault in each.

        Without fault: nothing to scroll sideways, and nothing that axe finds. A dialog covers the
        window, so of a page under one the `whole` is not to be kept.
        """
        SHOTS.mkdir(parents=True, exist_ok=True)
        for scheme in SCHEMES:
            self.page.emulate_media(color_scheme=scheme)
            for width_px in WIDTHS_PX:
                self.page.set_viewport_size({"width": width_px, "height": HEIGHT_PX})
                place = SHOTS / f"{name}-{width_px}-{scheme}.png"
                self.page.screenshot(path=place, full_page=whole)
                if self._scripted:
                    wide_px = self.page.evaluate("document.documentElement.scrollWidth")
                    assert wide_px <= width_px, f"{place.name} is {wide_px} wide"
            if self._scripted:
                self.assert_accessible(f"{name}, {scheme}")

    def assert_accessible(self, name: str = "the page") -> None:
        """Let axe look at the page as it is now."""
        self.page.evaluate(_AXE)
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        wrong = [
            f"{one['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
            for one in found["violations"]
            for node in one["nodes"]
        ]
        assert not wrong, f"{name}: " + "\n".join(wrong)

    def leave(self) -> None:
        """Close the browser; whatever it loaded was ours, and nothing in it failed."""
        if self._scripted and not self.page.is_closed():
            self.refused += self.page.evaluate("window.refusals ?? []")
        self.context.close()
        assert self.strangers == []
        assert self.errors == []
        assert self.refused == [], self.refused
