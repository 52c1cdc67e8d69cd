"""A sender that notes the lanes it was asked to ring."""

from service.messages import Message


class Ringing:
    """Stands where the broker's sender stands in tests of single steps."""

    def __init__(self) -> None:
        self.rung: list[Message] = []

    def __call__(self, message: Message) -> None:
        """Note it; like the real sender it never raises."""
        self.rung.append(message)
