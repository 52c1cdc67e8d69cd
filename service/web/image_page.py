"""The page of an image: all that is known of it, and what its owner may do with it."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from flask import Blueprint, Response, redirect, render_template, request, url_for
from pydantic import BaseModel, BeforeValidator, Field
from sqlalchemy import Row
from werkzeug.wrappers import Response as Redirect

from service.documents import Document, share
from service.errors import NotFound
from service.ids import Kind, public_id, read_id
from service.keys import Caller
from service.models import MAX_TAGS_PER_IMAGE, Scope
from service.steps.label import Change, Tag
from service.web.auth import person
from service.web.bodies import read_form
from service.web.images import image_content, image_thumbnail, known_image
from service.web.login import Page, View
from service.web.tiles import lineage
from service.wiring import Wiring

#: How long a link may live, seconds, and how a page says it.
LIFETIMES = {"3600": "1 hour", "86400": "1 day", "604800": "7 days", "2592000": "30 days"}
LIFETIME_CHOSEN: Final = "604800"


def _between_commas(text: object) -> object:
    return [one for one in text.split(",") if one.strip()] if isinstance(text, str) else text


class FavouriteForm(BaseModel):
    """Whether an image is to be a favourite from now on."""

    favourite: Literal["yes", "no"]


class TagsForm(BaseModel):
    """Tags to add, between commas, and one to take away."""

    add: Annotated[
        list[Tag], Field(max_length=MAX_TAGS_PER_IMAGE), BeforeValidator(_between_commas)
    ] = []
    remove: Tag | None = None


class ShareForm(BaseModel):
    """A link that is wished for."""

    #: Seconds.
    lifetime: Literal["3600", "86400", "604800", "2592000"] = LIFETIME_CHOSEN
    shows_prompt: Literal["yes", "no"] = "no"


def page_image(wiring: Wiring, row: Row[Any]) -> Document:
    """Return an image as pages show it: where its page, its bytes and its thumbnail are for us."""
    image_id = public_id(Kind.IMAGE, row.id)
    return {
        **wiring.documents.image(row),
        "page": url_for("gallery.image", image_id=image_id),
        "content": url_for("gallery.content", image_id=image_id),
        "thumbnail": url_for("gallery.small", image_id=image_id),
    }


def add_image_page(routes: Blueprint, page: Callable[[View], Page], wiring: Wiring) -> None:
    """Add the page of an image, what its forms do, and its bytes as pages show them."""

    @routes.get("/images/<image_id>")
    @page
    def image(caller: Caller, image_id: str) -> str:
        row = wiring.browse.image(caller.project_id, known_image(image_id))
        job, _ = wiring.browse.job(caller.project_id, row.job_id)
        return render_template(
            "image.html",
            caller=caller,
            image=page_image(wiring, row),
            lineage=lineage(wiring, row),
            job=wiring.documents.job(job, [row]),
            links=_links(wiring, row),
            lifetimes=LIFETIMES,
            lifetime_chosen=LIFETIME_CHOSEN,
        )

    @routes.get("/images/<image_id>/content")
    def content(image_id: str) -> Response:
        return image_content(wiring, person(wiring.keys), image_id, proxied=True)

    @routes.get("/images/<image_id>/thumbnail")
    def small(image_id: str) -> Response:
        return image_thumbnail(wiring, person(wiring.keys), image_id)

    _add_labels(routes, page, wiring)
    _add_sharing(routes, page, wiring)
    _add_deletion(routes, page, wiring)


def _add_labels(routes: Blueprint, page: Callable[[View], Page], wiring: Wiring) -> None:
    @routes.post("/images/<image_id>/favourite")
    @page
    def favour(caller: Caller, image_id: str) -> Redirect:
        row = _own(wiring, caller, image_id)
        wanted = read_form(request, FavouriteForm).favourite
        wiring.label(caller.project_id, [row.id], Change(is_favourite=wanted == "yes"))
        return _back(image_id, "labels")

    @routes.post("/images/<image_id>/tags")
    @page
    def tag(caller: Caller, image_id: str) -> Redirect:
        row = _own(wiring, caller, image_id)
        wanted = read_form(request, TagsForm)
        taken = () if wanted.remove is None else (wanted.remove,)
        wiring.label(caller.project_id, [row.id], Change(add=wanted.add, remove=taken))
        return _back(image_id, "labels")


def _add_sharing(routes: Blueprint, page: Callable[[View], Page], wiring: Wiring) -> None:
    @routes.post("/images/<image_id>/shares")
    @page
    def make_link(caller: Caller, image_id: str) -> Redirect:
        row = _own(wiring, caller, image_id)
        wanted = read_form(request, ShareForm)
        wiring.share.create(
            caller.project_id,
            row.id,
            int(wanted.lifetime),
            shows_prompt=wanted.shows_prompt == "yes",
        )
        return _back(image_id, "sharing")

    @routes.post("/images/<image_id>/shares/<share_id>/revoke")
    @page
    def revoke_link(caller: Caller, image_id: str, share_id: str) -> Redirect:
        row, found = _own(wiring, caller, image_id), read_id(Kind.SHARE, share_id)
        if found is None:
            raise NotFound("There is no such link.")
        wiring.share.revoke(caller.project_id, row.id, found)
        return _back(image_id, "sharing")


def _add_deletion(routes: Blueprint, page: Callable[[View], Page], wiring: Wiring) -> None:
    @routes.get("/images/<image_id>/delete")
    @page
    def ask_to_delete(caller: Caller, image_id: str) -> str:
        row = _own(wiring, caller, image_id)
        image = page_image(wiring, row)
        return render_template(
            "image_delete.html", caller=caller, image=image, links=_links(wiring, row)
        )

    @routes.post("/images/<image_id>/delete")
    @page
    def delete(caller: Caller, image_id: str) -> Redirect:
        wiring.remove(caller.project_id, _own(wiring, caller, image_id).id)
        return redirect(url_for("gallery.images"), HTTPStatus.SEE_OTHER)


def _own(wiring: Wiring, caller: Caller, image_id: str) -> Row[Any]:
    """Return the image that a person wants to change, who may.

    Raises:
        OutOfScope: the key is not for this.
        Gone: the image was deleted.
        NotFound: no such image in the caller's project.
    """
    caller.require(Scope.MANAGE)
    return wiring.browse.image(caller.project_id, known_image(image_id))


def _back(image_id: str, part: str) -> Redirect:
    place = url_for("gallery.image", image_id=image_id, _anchor=part)
    return redirect(place, HTTPStatus.SEE_OTHER)


def _links(wiring: Wiring, row: Row[Any]) -> list[Document]:
    """Return the links by which others see an image now."""
    return [
        share(link, f"{wiring.settings.base_url}/share/{wiring.links.share_token(link.id)}")
        for link in wiring.share.living(row.project_id, row.id)
    ]
