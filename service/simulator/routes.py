"""Which path is answered by what."""

import re
from collections.abc import Callable

from service.simulator.api import FluxApi
from service.simulator.control import Control
from service.simulator.forms import Form, in_cometapis_words
from service.simulator.wire import Reply, Request, detail, json_reply

_FLUX = re.compile(r"(?P<form>/flux)?/v1/(?P<rest>.+)")


class Routes:
    """Finds the answer to a request; `nonce` lets a launcher know its own simulator."""

    def __init__(self, api: FluxApi, control: Control, nonce: str) -> None:
        self._api = api
        self._nonce = nonce
        self._control: dict[str, dict[str, Callable[[Request], Reply]]] = {
            "/control/ledger": {"GET": control.show_ledger},
            "/control/state": {"GET": control.show_state},
            "/control/settings": {"PUT": control.change_settings},
            "/control/faults": {"POST": control.add_fault, "DELETE": control.clear_faults},
            "/healthz": {"GET": self._health},
        }

    def __call__(self, request: Request) -> Reply:
        """Answer a request; HEAD is answered as GET."""
        method = "GET" if request.method == "HEAD" else request.method
        if found := _FLUX.fullmatch(request.path):
            form = Form(found["form"] or "")
            reply = self._flux(request, method, form, found["rest"])
            return reply if form is Form.BFL else in_cometapis_words(reply)
        if request.path.startswith("/delivery/") and method == "GET":
            return self._api.download(request)
        answers = self._control.get(request.path)
        if answers is None:
            return detail(404, "Not Found")
        if method not in answers:
            return detail(405, "Method Not Allowed", Allow=", ".join(answers))
        return answers[method](request)

    def _flux(self, request: Request, method: str, form: Form, rest: str) -> Reply:
        match method, rest:
            case "POST", model:
                return self._api.submit(request, form, model)
            case "GET", "get_result":
                return self._api.result(request, form)
            case "GET", "credits" if form is Form.BFL:
                return self._api.credits(request)
            case _:
                return detail(404, "Not Found")

    def _health(self, _request: Request) -> Reply:
        return json_reply(200, {"status": "ok", "nonce": self._nonce})
