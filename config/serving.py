"""Uvicorn servers inside our own loop. Signals belong to the process, so no server takes them."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn
from starlette.applications import Starlette

from gateway.errors import ConfigError

GRACE_S = 3
TICK_S = 0.1  # uvicorn renews its Date header at every tenth tick
MAX_FRAME = 64 * 1024 * 1024  # above the agent server's own limit, so that it can answer with an error frame


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._told = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self) -> None:
        self.should_exit = True
        self._told.set()

    async def main_loop(self) -> None:
        """Uvicorn's own looks ten times a second whether it is to stop; this one is told."""
        tick = 0
        while not await self.on_tick(tick):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._told.wait()
            tick = (tick + 1) % 10

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Uvicorn hangs up on those who are there; one who was just being let in would be waited for, and then left."""
        for listening in sockets or []:
            asyncio.get_running_loop().remove_reader(listening)
        # Whoever asyncio accepts and has no transport yet when the server closes is never hung up on (Python 3.11).
        await asyncio.sleep(0)
        late = asyncio.create_task(self._hang_up_on_others(set(self.server_state.connections)))
        try:
            await super().shutdown(sockets)
        finally:
            late.cancel()
            for connection in list(self.server_state.connections):
                connection.transport.abort()
            await asyncio.sleep(0)  # until they have heard it

    async def _hang_up_on_others(self, told: set[Any]) -> None:
        while True:
            for connection in set(self.server_state.connections) - told:
                told.add(connection)
                connection.shutdown()
            await asyncio.sleep(TICK_S / 10)


def bind(host: str, port: int, *, named: str = "PORT") -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises `ConfigError` when the port is taken: `named` says it."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ConfigError(
            f"{named}: {host}:{port} cannot be opened ({error.strerror}); set {named} to a free one, or mend BIND"
        ) from error


@contextlib.asynccontextmanager
async def serving(app: Starlette, listening: socket.socket) -> AsyncIterator["asyncio.Task[None]"]:
    """The app answers inside the block; leaving it closes the door and lets open requests end for a moment.

    The task ends by itself only when the server broke.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        ws="websockets-sansio",
        ws_max_size=MAX_FRAME,
        timeout_graceful_shutdown=GRACE_S,
        lifespan="on",
        server_header=False,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        while not server.started:
            if task.done():
                task.result()
                raise ConfigError("the server did not start; see the log above")
            await asyncio.sleep(0.01)
        yield task
    finally:
        server.stop()
        await asyncio.gather(task, return_exceptions=True)
        listening.close()
