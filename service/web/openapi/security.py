"""The ways in."""

from collections.abc import Mapping
from typing import Any

SCHEMES: Mapping[str, Mapping[str, Any]] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, `dk_…`; each operation says which scope it takes.",
    },
    "x-key": {
        "type": "apiKey",
        "in": "header",
        "name": "x-key",
        "description": "The same key, as Flux's clients send it.",
    },
    "token": {
        "type": "apiKey",
        "in": "query",
        "name": "token",
        "description": "Of a `polling_url`: opens one result.",
    },
}
