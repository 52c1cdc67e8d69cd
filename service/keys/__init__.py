"""Who may come in: projects' API keys, and the browsers that were logged in with one."""

from service.keys.callers import Caller
from service.keys.keys import Keys, NewKey
from service.keys.links import LINK_SECONDS, LoginLinks
from service.keys.sessions import SESSION_SECONDS, Sessions

__all__ = [
    "LINK_SECONDS",
    "SESSION_SECONDS",
    "Caller",
    "Keys",
    "LoginLinks",
    "NewKey",
    "Sessions",
]
