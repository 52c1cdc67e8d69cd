"""Numbers out of what /metrics says."""

import re


def value(text: str, line: str) -> float:
    """Return the value of one sample."""
    found = re.search(rf"^{re.escape(line)} (\S+)$", text, re.MULTILINE)
    assert found, f"{line} is not in\n{text}"
    return float(found[1])
