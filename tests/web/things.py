"""One of each thing that a path may name, of a key's project, and what nobody has made."""

from collections.abc import Iterable, Mapping

from factories import deliveries, enqueue, project_id, upload
from fakes.pictures import drawn
from flask import Flask
from web.browser import shown_image
from werkzeug.routing import Rule

from service.ids import Kind, new_id, public_id
from service.keys import NewKey
from service.steps.enqueue import Asking
from service.wiring import Wiring

#: By the name that paths have for it. A route that names something else needs its line here, and
#: one in `made`, unless it names nothing that a project has.
KINDS = {
    "job_id": Kind.JOB,
    "image_id": Kind.IMAGE,
    "delivery_id": Kind.DELIVERY,
    "upload_id": Kind.UPLOAD,
    "batch_id": Kind.BATCH,
    "key_id": Kind.KEY,
    "share_id": Kind.SHARE,
    "session_id": Kind.SESSION,
}
#: What names nothing of a project: models, files of ours, and signed tokens, which are keys.
NOBODYS = {
    "name": "flux-2-pro", "rest": "2-pro", "filename": "live.js", "file_name": "swagger-ui.css",
    "token": "a-token", "_extension": "png", "extension": "png",
}  # fmt: skip


def made(wiring: Wiring, key: NewKey) -> dict[str, str]:
    """Make one of each; the delivery is the job's, which ended."""
    job_id = enqueue(wiring, key, callback_url="https://example.com/hook")
    wiring.enqueue.cancel(project_id(wiring, key), job_id)
    (owed,) = deliveries(wiring, job_id)
    image_id = shown_image(wiring, key)
    image = wiring.browse.image(project_id(wiring, key), image_id)
    wiring.object_store.put_bytes(image.key, drawn("PNG"), image.content_type)
    asking = Asking(project_id(wiring, key))
    one = {"model": "flux-2-pro", "input": {"prompt": "a fox", "width": 256, "height": 256}}
    wanted = wiring.batches.read(asking, {"jobs": [one]}, None)
    batch_id = wiring.batches.accept(asking.project_id, wanted).row.id
    sessions, key_id = wiring.keys.sessions, wiring.keys.caller(key.api_key).key_id
    (session,) = sessions.of(key_id, sessions.begin(key_id))[:1]
    link = wiring.share.create(asking.project_id, image_id, 3600, shows_prompt=False)
    return {
        "batch_id": public_id(Kind.BATCH, batch_id),
        "key_id": wiring.keys.create(key.project).key_id,
        "share_id": public_id(Kind.SHARE, link.id),
        "session_id": public_id(Kind.SESSION, session.id),
        "job_id": public_id(Kind.JOB, job_id),
        "image_id": public_id(Kind.IMAGE, image_id),
        "delivery_id": public_id(Kind.DELIVERY, owed.id),
        "upload_id": upload(wiring, key, drawn("PNG")),
    }


def unknown() -> dict[str, str]:
    """Return ids of every kind that nobody has."""
    return {name: public_id(kind, new_id()) for name, kind in KINDS.items()}


def rules(app: Flask) -> Iterable[Rule]:
    """Yield every route; one that names what is not known here fails the test."""
    for rule in app.url_map.iter_rules():
        odd = set(rule.arguments) - set(KINDS) - set(NOBODYS)
        assert not odd, f"{rule.rule} names {odd}: say in {__name__} what that is"
        yield rule


def path_of(app: Flask, rule: Rule, things: Mapping[str, str]) -> str:
    """Return a route's path with the ids of these things."""
    known = {**NOBODYS, **things}
    values = {name: known[name] for name in rule.arguments}
    return app.url_map.bind("darkroom").build(rule.endpoint, values, rule_method(rule))


def rule_method(rule: Rule) -> str:
    """Return a method by which a route is found."""
    return min((rule.methods or set()) - {"HEAD", "OPTIONS"})


def is_a_page(rule: Rule) -> bool:
    """Tell whether a route is of the pages, where a cookie says who asks."""
    return not rule.rule.startswith(("/v1/", "/flux/", "/webhooks/"))
