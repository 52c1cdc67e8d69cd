"""A person at the gallery: how soon the first pictures are painted, and what scrolling keeps."""

import statistics
import sys
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, CDPSession, sync_playwright

VISITS = 7
#: So many are scrolled past, and memory is looked at after each share of them.
PICTURES, LOOKS = 2000, 5
#: Growth of what the renderer keeps for itself that is still called flat, KiB per picture. Its
#: pictures would be some 800 KiB each; the driver has it keep a copy of every answer.
FLAT_KB_PER_PICTURE = 64.0
_OPTIONS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
#: When the last picture that can be seen without scrolling was there, ms after the visit began.
_FIRST_GRID = """
async () => {
  // before its style sheets are there, nothing is where it will be
  if (document.readyState !== "complete") {
    await new Promise((done) => addEventListener("load", done, { once: true }));
  }
  const seen = [...document.querySelectorAll("#wall img")]
    .filter((img) => img.getBoundingClientRect().top < innerHeight);
  await Promise.all(seen.map((img) => img.decode()));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return [performance.now(), seen.length];
}
"""


def browse(url: str, api_key: str) -> float:
    """Print what a person meets, and return the median time to the first pictures in ms."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=_OPTIONS)
        painted_ms = first_grid_ms(browser, url, api_key)
        flat = scrolled(browser, url, api_key)
        browser.close()
    return painted_ms if flat else float("inf")


def visit(browser: Browser, url: str, api_key: str) -> BrowserContext:
    """Return a clean browser that has logged in."""
    context = browser.new_context(base_url=url, viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto("/login")
    page.get_by_label("API key").fill(api_key)
    page.get_by_role("main").get_by_role("button", name="Log in").click()
    page.get_by_role("button", name="Log out").wait_for()
    page.close()
    return context


def first_grid_ms(browser: Browser, url: str, api_key: str) -> float:
    """Measure visits with nothing in the cache."""
    times: list[float] = []
    pictures = 0
    for _ in range(VISITS):
        context = visit(browser, url, api_key)
        page = context.new_page()
        client = context.new_cdp_session(page)
        client.send("Network.setCacheDisabled", {"cacheDisabled": True})
        page.goto("/", wait_until="commit")
        page.wait_for_selector("#wall img")
        page.wait_for_load_state("domcontentloaded")
        took_ms, pictures = page.evaluate(_FIRST_GRID)
        times.append(took_ms)
        context.close()
    print(
        f"first grid of {pictures} pictures painted: median {statistics.median(times):.0f} ms, "
        f"most {max(times):.0f} ms of {VISITS} visits"
    )
    return statistics.median(times)


def scrolled(browser: Browser, url: str, api_key: str) -> bool:
    """Scroll through the pictures; tell whether memory stayed flat."""
    context = visit(browser, url, api_key)
    page = context.new_page()
    client = context.new_cdp_session(page)
    page.goto("/")
    looks = []
    for share in range(1, LOOKS + 1):
        wanted, shown = PICTURES * share // LOOKS, 0
        for _ in range(wanted):
            shown = page.locator("#wall li[data-image]").count()
            if shown >= wanted:
                break
            page.mouse.wheel(0, 4000)
            page.wait_for_timeout(50)
        looks.append((shown, heap_mb(client), renderer_mb(browser)))
    for shown, heap, (all_of_it, own) in looks:
        print(
            f"{shown:6} pictures: script heap {heap:6.1f} MiB, renderer {all_of_it:6.0f} MiB, "
            f"{own:6.0f} of it neither program nor cache"
        )
    context.close()
    grown_kb = (looks[-1][2][1] - looks[0][2][1]) * 1024 / (looks[-1][0] - looks[0][0])
    print(f"it grew by {grown_kb:.0f} KiB a picture")
    sys.stdout.flush()
    return grown_kb <= FLAT_KB_PER_PICTURE


def heap_mb(client: CDPSession) -> float:
    """Return the script heap after a collection."""
    client.send("HeapProfiler.collectGarbage")
    return float(client.send("Runtime.getHeapUsage")["usedSize"]) / 2**20


def renderer_mb(browser: Browser) -> tuple[float, float]:
    """Return the memory of the biggest renderer, in all and what is no program and no cache.

    Pictures that were decoded are in memory that it gives back when somebody needs it.
    """
    found = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    status = [
        Path(f"/proc/{one['id']}/status").read_text("ascii")
        for one in found
        if one["type"] == "renderer"
    ]
    return max((_mb(text, "VmRSS"), _mb(text, "RssAnon")) for text in status)


def _mb(status: str, field: str) -> float:
    return int(status.split(f"{field}:")[1].split(maxsplit=1)[0]) / 1024
