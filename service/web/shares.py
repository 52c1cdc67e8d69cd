"""Links that show an image to whoever has them: `/v1/images/{id}/share`, and what they open."""

from typing import Annotated, Any

from flask import Blueprint, Response, jsonify, render_template, request, url_for
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy import Row

from service.documents import Document, share, when
from service.errors import Gone, NotFound
from service.ids import Kind, read_id
from service.keys import Caller
from service.models import Scope
from service.steps.enqueue import whole
from service.web.bodies import read_as
from service.web.images import known_image, stored_bytes
from service.web.login import guard_pages
from service.web.openapi import answers_many
from service.web.operation import Answer, Api
from service.wiring import Wiring

WEEK_SECONDS = 604_800
YEAR_SECONDS = 31_536_000
#: A browser may show a shared image so long after its link was taken back.
CACHED = "private, max-age=60"


class ShareBody(BaseModel):
    """Body of `POST /v1/images/{id}/share`; all of it may be left out."""

    model_config = ConfigDict(extra="forbid", strict=True)

    expires_in_seconds: Annotated[int, Field(ge=60, le=YEAR_SECONDS), BeforeValidator(whole)] = (
        WEEK_SECONDS
    )
    #: Whether the page says by which prompt the image was made.
    shows_prompt: bool = False


def shares_blueprint(wiring: Wiring) -> Blueprint:
    """Return the routes by which an image's owner shares it."""
    routes = Blueprint("shares", __name__, url_prefix="/v1/images/<image_id>")
    api = Api(wiring)

    def shown(row: Row[Any]) -> Document:
        token = wiring.links.share_token(row.id)
        return share(row, f"{wiring.settings.base_url}/share/{token}")

    @routes.post("/share")
    @api.operation(
        Scope.MANAGE,
        "Share an image",
        body=ShareBody,
        answers={201: Answer("The link.", answers_many.Share)},
        errors=(NotFound, Gone),
    )
    def create(caller: Caller, image_id: str) -> Response:
        found, wanted = known_image(image_id), _read_body()
        row = wiring.share.create(
            caller.project_id, found, wanted.expires_in_seconds, shows_prompt=wanted.shows_prompt
        )
        answer = jsonify(shown(row))
        answer.status_code = 201
        return answer

    @routes.get("/shares")
    @api.operation(
        Scope.READ,
        "List an image's shared links",
        answers={200: Answer("All of them.", answers_many.ShareList)},
        errors=(NotFound, Gone),
    )
    def listing(caller: Caller, image_id: str) -> Response:
        rows = wiring.share.of(caller.project_id, known_image(image_id))
        return jsonify({"data": [shown(row) for row in rows], "next": None})

    @routes.delete("/shares/<share_id>")
    @api.operation(
        Scope.MANAGE,
        "Take a shared link back",
        answers={204: Answer("It opens nothing any more.", media_types=())},
        errors=(NotFound, Gone),
    )
    def revoke(caller: Caller, image_id: str, share_id: str) -> Response:
        found = read_id(Kind.SHARE, share_id)
        if found is None:
            raise NotFound("There is no such link.")
        wiring.share.revoke(caller.project_id, known_image(image_id), found)
        return Response(status=204)

    return routes


def shared_blueprint(wiring: Wiring) -> Blueprint:
    """Return what a link opens; nobody is asked for a key."""
    routes = Blueprint("shared", __name__, url_prefix="/share")
    guard_pages(routes)

    @routes.after_request
    def hide_from_searches(answer: Response) -> Response:
        answer.headers["X-Robots-Tag"] = "noindex"
        return answer

    def opened(token: str) -> tuple[Row[Any], Row[Any]]:
        share_id = wiring.links.share(token)
        if share_id is None:
            raise NotFound("There is no such link.")
        return wiring.share.open(share_id)

    @routes.get("/<token>")
    def page(token: str) -> str | tuple[str, int]:
        try:
            link, image = opened(token)
        except (Gone, NotFound) as error:
            # a stranger has no images to go back to
            return render_template("share_over.html", error=error), error.status
        extension, address = _extension(image), f"{wiring.settings.base_url}/share/{token}"
        return render_template(
            "share.html",
            image=image,
            prompt_shown=image.prompt if link.shows_prompt else None,
            ends_at=when(link.expires_at),
            extension=extension,
            # the policy lets pages load from where they come from, whatever it is called
            here=url_for("shared.content", token=token, extension=extension),
            # whoever shows a preview of the page wants whole addresses
            page=address,
            content=f"{address}/image.{extension}",
        )

    @routes.get("/<token>/image.<extension>")
    def content(token: str, extension: str) -> Response:
        _, image = opened(token)
        if extension != _extension(image):
            raise NotFound("There is no such link.")
        answer = stored_bytes(wiring, image.bucket, image.key, image.content_type, image.sha256)
        # whoever has the link may see the image, so pages of other sites may show it
        answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        answer.headers["Cache-Control"] = CACHED
        return answer

    return routes


def _read_body() -> ShareBody:
    if not request.content_length and "Transfer-Encoding" not in request.headers:
        return ShareBody()
    return read_as(request, ShareBody, "Nothing was shared.")


def _extension(image: Row[Any]) -> str:
    return str(image.content_type).removeprefix("image/")
