"""A TCP line that a test can cut, stall and mend. It knows nothing of what runs through it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Proxy:
    """What connects to `port` reaches `host:there`. Made by `proxied`."""

    def __init__(self, host: str, there: int) -> None:
        self._host, self._there = host, there
        self._whole, self._flows = asyncio.Event(), asyncio.Event()
        self.mend()
        self._lines: set[asyncio.Task[None]] = set()
        self.port = 0

    def cut(self) -> None:
        """Every connection breaks, and each new one at once."""
        self._whole.clear()
        for line in self._lines:
            line.cancel()

    def stall(self) -> None:
        """Connections stay and new ones are taken, but nothing comes through: a cable was pulled somewhere."""
        self._flows.clear()

    def mend(self) -> None:
        self._whole.set()
        self._flows.set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = asyncio.create_task(self._line(reader, writer))
        self._lines.add(line)
        line.add_done_callback(self._lines.discard)

    async def aclose(self) -> None:
        for line in self._lines:
            line.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)

    async def _line(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.ExitStack() as both:
            both.callback(writer.transport.abort)
            if not self._whole.is_set():
                return
            await self._flows.wait()
            with contextlib.suppress(OSError):
                there_reader, there_writer = await asyncio.open_connection(self._host, self._there)
                both.callback(there_writer.transport.abort)
                pumps = [self._pump(reader, there_writer), self._pump(there_reader, writer)]
                await _until_one_ends([asyncio.create_task(pump) for pump in pumps])

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self._flows.wait()
                writer.write(data)
                await writer.drain()


async def _until_one_ends(tasks: "list[asyncio.Task[None]]") -> None:
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def proxied(host: str, there: int) -> AsyncIterator[Proxy]:
    proxy = Proxy(host, there)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.aclose()
