"""`/new`: a form by which a person hands in a job, with its price said before it is sent."""

from service.web.new.pages import new_blueprint

__all__ = ["new_blueprint"]
