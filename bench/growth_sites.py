"""Where the product executes statements, so that none is forgotten that nobody made run."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

SERVICE = Path(__file__).parents[1] / "service"
#: Passes on what others execute.
_PASSES_ON = SERVICE / "database.py"
_EXECUTE = frozenset({"execute", "rows", "first", "scalar"})


def sites() -> set[tuple[str, int, int]]:
    """Return file, first line and last line of every call that executes a statement."""
    return {site for path in sorted(SERVICE.rglob("*.py")) for site in _calls(path)}


def here() -> tuple[str, int] | None:
    """Return the file and line of the product that is executing something right now."""
    frame = sys._getframe(1)  # noqa: SLF001 - nobody else knows
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(SERVICE) and path != _PASSES_ON:
            return str(path.relative_to(SERVICE)), frame.f_lineno
        if frame.f_back is None:
            break
        frame = frame.f_back
    return None


def missed(reached: set[tuple[str, int]]) -> list[str]:
    """Return the places that were not reached, as file:line."""
    return [
        f"{file}:{first}"
        for file, first, last in sorted(sites())
        if not any(one == file and first <= line <= last for one, line in reached)
    ]


def _calls(path: Path) -> Iterator[tuple[str, int, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in _EXECUTE
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "tx"
        ):
            yield str(path.relative_to(SERVICE)), node.lineno, node.end_lineno or node.lineno
