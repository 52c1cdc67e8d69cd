"""The one place through which every outgoing HTTP request goes."""

from service.clients.outbound.client import Answer, Download, Outbound
from service.clients.outbound.guard import AddressGuard
from service.clients.outbound.retry_after import parse_retry_after
from service.clients.outbound.target import Target

__all__ = ["AddressGuard", "Answer", "Download", "Outbound", "Target", "parse_retry_after"]
