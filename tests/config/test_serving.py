"""A server inside our own loop: told to stop, it stops, and leaves nobody hanging."""

import asyncio
import contextlib

import pytest
from starlette.applications import Starlette

from config.serving import bind, serving


@pytest.mark.parametrize("steps", range(6))
async def test_whoever_is_being_let_in_while_a_server_stops_is_hung_up_on_at_once(steps: int) -> None:
    listening = bind("127.0.0.1", 0)
    port = listening.getsockname()[1]
    async with serving(Starlette(), listening):
        arriving = [asyncio.create_task(asyncio.open_connection("127.0.0.1", port)) for _ in range(3)]
        for _ in range(steps):
            await asyncio.sleep(0)

    async with asyncio.timeout(2):
        for line in await asyncio.gather(*arriving, return_exceptions=True):
            if isinstance(line, ConnectionError):
                continue
            assert not isinstance(line, BaseException)
            reader, writer = line
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            writer.close()
