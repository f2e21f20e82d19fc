"""Processes of the gateway on one database, between two far ends that a test tells what to do."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.helpers.clock import Clock
from tests.helpers.core import Core, Ends, Start, opened


@pytest.fixture
async def ends(clock: Clock) -> AsyncIterator[Ends]:
    made = Ends(clock)
    yield made
    await made.aclose()


@pytest.fixture
async def start(database_url: str, ends: Ends, clock: Clock) -> AsyncIterator[Start]:
    async with contextlib.AsyncExitStack() as stack:

        async def started(*, at_work: bool = True, **more: Any) -> Core:
            core = await stack.enter_async_context(opened(database_url, ends, clock, **more))
            if at_work:
                await stack.enter_async_context(core.at_work())
            return core

        yield started
        await ends.aclose()  # so that nobody waits for a reply
