"""Jobs under way at a time, and the questions to the tables that only a bench asks."""

import asyncio
from collections.abc import Iterable
from typing import Any

import psycopg
from outside import Outside
from pipelines.running import Caller

#: How long work that nobody waits for may take to come to rest.
REST_SECONDS = 1800.0


async def keep_busy(
    outside: Outside, url: str, caller: Caller, numbers: Iterable[int], at_a_time: int
) -> None:
    """Have so many jobs under way until all of these have ended.

    A number is drawn when a job ends, so that whoever draws them sees the run go on.
    """
    waiting = iter(numbers)

    async def go_on() -> None:
        for number in waiting:
            await outside.hand_in(url, caller.api_key, number)
            await outside.called_back(number)

    await asyncio.gather(*(go_on() for _ in range(at_a_time)))


async def at_rest(database_url: str, *, thumbnails: bool = True) -> None:
    """Wait until no job is under way, no callback is owed and no thumbnail is to be drawn.

    Raises:
        TimeoutError: that does not come.
    """
    question = _UNDER_WAY + (_UNDRAWN if thumbnails else "") + "LIMIT 1"
    async with asyncio.timeout(REST_SECONDS):
        while await asyncio.to_thread(asked, database_url, question):  # noqa: ASYNC110 - it is another process that gets there
            await asyncio.sleep(0.5)


def asked(database_url: str, question: str) -> list[tuple[Any, ...]]:
    """Return the rows of a question, asked over a connection of its own."""
    with connected(database_url) as connection:
        return connection.execute(question.encode()).fetchall()


def connected(database_url: str) -> psycopg.Connection[tuple[Any, ...]]:
    """Return a connection of psycopg's own, which commits each statement."""
    return psycopg.connect(
        database_url.replace("postgresql+psycopg://", "postgresql://", 1), autocommit=True
    )


_UNDER_WAY = """
    SELECT 1 FROM jobs WHERE status NOT IN ('succeeded', 'failed', 'canceled')
    UNION ALL SELECT 1 FROM deliveries WHERE status = 'pending'
"""
_UNDRAWN = """
    UNION ALL SELECT 1 FROM images WHERE due_at IS NOT NULL
"""
