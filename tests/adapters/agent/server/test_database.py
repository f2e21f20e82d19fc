"""The agent server's SQLite file: whoever is cut off leaves no lock behind."""

import asyncio
import contextlib
from pathlib import Path

from adapters.agent.server.database import Database


async def test_a_line_that_was_left_in_the_middle_keeps_the_next_server_from_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/agent.db"
    before, after = Database(url), Database(url)
    await before.open()
    left = before.writing()
    await left.__aenter__()

    await before.close()

    async with asyncio.timeout(5):
        await after.open()
    await after.close()
    with contextlib.suppress(Exception):  # its line is gone
        await left.__aexit__(None, None, None)
