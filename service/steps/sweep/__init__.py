"""Sweep: the clock's step, and the clock of the grace that unconfirmed submissions have."""

from service.steps.sweep.grace import GraceClock
from service.steps.sweep.sweep import Sweep

__all__ = ["GraceClock", "Sweep"]
