"""The audit's chain while processes work: sealed without anybody asking, one chain for all, across deaths."""

import asyncio
import time
from datetime import timedelta
from typing import Any

from gateway import proving, stop
from tests.helpers.clock import Clock
from tests.helpers.core import Core, Start
from tests.helpers.process import until


async def happens(core: Core, clock: Clock, *agents: str) -> None:
    """Something that is audited, once for each."""
    scopes = [stop.scope_of_agent(one) for one in agents]
    await core.store.write(lambda tx: stop.pause(tx, scopes, by="cli:ana", reason="", now=clock()))


async def whole(core: Core, links: int) -> Any:
    async def look() -> Any:
        found = await proving.verify(core.store)
        return found if (found.links, found.unsealed) == (links, 0) else None

    return await until(look, f"{links} seals")


async def test_what_happens_is_sealed_by_whoever_works(start: Start, clock: Clock) -> None:
    core = await start()
    await happens(core, clock, "a", "b", "c")
    began = time.monotonic()

    found = await whole(core, 3)

    print(f"\nsealed after {time.monotonic() - began:.2f} s")
    assert found.whole


async def test_several_processes_that_sweep_at_once_make_one_chain(start: Start, clock: Clock) -> None:
    processes = [await start(at_work=False) for _ in range(3)]

    for day in range(3):
        await asyncio.gather(*(happens(core, clock, f"{day}-{n}") for n, core in enumerate(processes)))
        await asyncio.gather(*(core.work.sweep() for core in processes))

    assert (await whole(processes[0], 9)).whole


async def test_another_process_goes_on_with_the_chain_of_one_that_is_gone(start: Start, clock: Clock) -> None:
    first, second = await start(at_work=False), await start(at_work=False)
    await happens(first, clock, "a")
    await first.work.sweep()
    await happens(first, clock, "b")

    clock.passes(timedelta(seconds=5))
    await second.work.sweep()

    assert (await whole(second, 2)).whole
