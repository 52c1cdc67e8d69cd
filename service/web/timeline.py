"""The list of jobs and a page per job: its timeline, its images, its callbacks."""

from flask import Blueprint, render_template

from service.documents import event
from service.errors import NotFound
from service.ids import Kind, public_id, read_id
from service.keys import Caller
from service.steps.browse import JobFilter
from service.web.login import guard_pages, page_for
from service.web.paging import read_cursor
from service.wiring import Wiring

JOBS_PER_PAGE = 50


def timeline_blueprint(wiring: Wiring) -> Blueprint:
    """Return the pages of jobs."""
    routes = Blueprint("timeline", __name__)
    guard_pages(routes, wiring.object_store.origin)
    page = page_for(wiring.keys)

    @routes.get("/jobs")
    @page
    def jobs(caller: Caller) -> str:
        cursor = read_cursor(wiring.cursors, "job-pages")
        found, _ = wiring.browse.jobs(caller.project_id, JobFilter(), cursor, JOBS_PER_PAGE)
        return render_template(
            "jobs.html",
            caller=caller,
            jobs=[wiring.documents.job(row) for row in found.rows],
            next=None
            if found.next_id is None
            else wiring.cursors.write("job-pages", [found.next_id.hex]),
        )

    @routes.get("/jobs/<job_id>")
    @page
    def job(caller: Caller, job_id: str) -> str:
        found = read_id(Kind.JOB, job_id)
        if found is None:
            raise NotFound("There is no such job.")
        row, pictures = wiring.browse.job(caller.project_id, found)
        owed, tries = wiring.browse.deliveries(caller.project_id, found)
        return render_template(
            "job.html",
            caller=caller,
            job=wiring.documents.job(row, pictures),
            events=[event(line) for line in wiring.browse.events(caller.project_id, found)],
            deliveries=[
                {
                    "id": public_id(Kind.DELIVERY, one.id),
                    "row": one,
                    "tries": [a_try for a_try in tries if a_try.delivery_id == one.id],
                }
                for one in owed
            ],
        )

    return routes
