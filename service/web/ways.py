"""Where people are sent, and where they came from: paths of ours, never another site."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from flask import Request

#: Longer ones are nobody's link.
_MAX_CHARS = 2000
#: Whoever has logged in wants neither of these.
_LOG_IN = ("/login", "/logout")
Origin = tuple[str, str]


def own_path(text: str) -> str | None:
    """Return a path of ours that a browser does not read as another site's address, else None."""
    # browsers leave tabs and line breaks out and take a backslash for a slash
    is_safe = text.startswith("/") and text[1:2] not in {"/", "\\"} and text.isprintable()
    return text if is_safe and len(text) <= _MAX_CHARS and not text.startswith(_LOG_IN) else None


def came_from(request: Request, base_url: str) -> str | None:
    """Return the path of the page of ours that led here, None if none did, or this one itself."""
    try:
        origin, path, query = _parts(request.headers.get("Referer", ""))
    except ValueError:
        return None
    if origin not in origins(request, base_url) or path == request.path:
        return None
    return own_path(f"{path}?{query}" if query else path)


def origins(request: Request, base_url: str) -> Iterable[Origin]:
    """Return what scheme and host our pages have, for this browser and for others."""
    return {urlsplit(base_url)[:2], urlsplit(request.host_url)[:2]}


def _parts(address: str) -> tuple[Origin, str, str]:
    split = urlsplit(address)
    return split[:2], split.path, split.query
