"""`/images/<id>/facts`: what is told of a picture beside it; a part of a page, not one."""

from flask import Blueprint, render_template

from service.errors import CallerError
from service.web.auth import person
from service.web.images import known_image
from service.web.login import guard_pages
from service.wiring import Wiring

#: Of a prompt; a link leads to the rest.
PROMPT_CHARS_SHOWN = 1_500


def facts_blueprint(wiring: Wiring) -> Blueprint:
    """Return the route of what stands beside a picture."""
    routes = Blueprint("facts", __name__)
    guard_pages(routes)

    @routes.get("/images/<image_id>/facts")
    def facts(image_id: str) -> str:
        caller = person(wiring.keys)
        row = wiring.browse.image(caller.project_id, known_image(image_id))
        job, _ = wiring.browse.job(caller.project_id, row.job_id)
        return render_template(
            "facts.html",
            scopes=caller.scopes,
            image=wiring.documents.image(row),
            job=wiring.documents.job(job, [row]),
            shown_chars=PROMPT_CHARS_SHOWN,
        )

    @routes.errorhandler(CallerError)
    def missing(error: CallerError) -> tuple[str, int]:
        # a whole page would not fit where this is shown
        return render_template("facts_missing.html", error=error), error.status

    return routes
