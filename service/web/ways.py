"""Where people are sent, and where they came from: paths of ours, never another site."""

from urllib.parse import urlsplit

from flask import current_app, request

#: Longer ones are nobody's link.
_MAX_CHARS = 2000
#: Whoever has logged in wants neither of these.
_LOG_IN = ("/login", "/logout")


def own_path(text: str) -> str | None:
    """Return a path of ours that a browser does not read as another site's address, else None."""
    # browsers leave tabs and line breaks out and take a backslash for a slash
    is_safe = text.startswith("/") and text[1:2] not in {"/", "\\"} and text.isprintable()
    return text if is_safe and len(text) <= _MAX_CHARS and not text.startswith(_LOG_IN) else None


def came_from() -> str | None:
    """Return the path of the page of ours that led here, None if none did, or this one itself."""
    try:
        before = urlsplit(request.headers.get("Referer", ""))
    except ValueError:
        return None
    is_this = request.method == "GET" and before.path == request.path
    if before[:2] not in origins() or is_this:
        return None
    return own_path(f"{before.path}?{before.query}" if before.query else before.path)


def origins() -> set[tuple[str, str]]:
    """Return what scheme and host our pages have, for this browser and for others."""
    return {urlsplit(current_app.config["BASE_URL"])[:2], urlsplit(request.host_url)[:2]}
