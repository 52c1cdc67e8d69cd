"""Survey: how a project does, in figures; costs the same however many jobs it has."""

from service.steps.survey.history import WINDOWS, Figures, History, Window
from service.steps.survey.present import (
    COUNTED_CALLBACKS,
    COUNTED_JOBS,
    FailingHost,
    Present,
    Slots,
)
from service.steps.survey.survey import Survey

__all__ = [
    "COUNTED_CALLBACKS",
    "COUNTED_JOBS",
    "WINDOWS",
    "FailingHost",
    "Figures",
    "History",
    "Present",
    "Slots",
    "Survey",
    "Window",
]
