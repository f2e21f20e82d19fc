"""The queue for a database connection: whoever waits in it is patient as long as it moves."""

import asyncio
from contextlib import suppress

import pytest
from sqlalchemy.exc import TimeoutError as PoolTimeout

from adapters.agent.server.waiting import Queue

LONG_S = 60.0


async def test_who_waits_comes_up_in_order() -> None:
    queue = Queue(1, LONG_S)
    came: list[int] = []

    async def comes(number: int) -> None:
        async with queue.place():
            came.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*(comes(number) for number in range(20)))

    assert came == list(range(20))


async def test_who_waits_in_a_queue_that_does_not_move_is_told() -> None:
    queue = Queue(1, 0.01)

    async with queue.place():
        with pytest.raises(PoolTimeout, match="nobody got a connection"):
            async with queue.place():
                pass


async def test_who_waits_in_a_queue_that_moves_waits_on() -> None:
    queue = Queue(1, 0.05)
    came = asyncio.Event()

    async def comes() -> None:
        async with queue.place():
            came.set()

    async with queue.place():
        waits = asyncio.create_task(comes())
        for _ in range(40):
            queue.moved()
            await asyncio.sleep(0.005)
        assert not waits.done()

    await waits
    assert came.is_set()


async def test_who_leaves_the_queue_leaves_no_place_taken() -> None:
    queue = Queue(1, LONG_S)

    async def comes() -> None:
        async with queue.place():
            pass

    async with queue.place():
        leaves, stays = asyncio.create_task(comes()), asyncio.create_task(comes())
        await asyncio.sleep(0)
        leaves.cancel()
        with suppress(asyncio.CancelledError):
            await leaves

    await stays


@pytest.mark.parametrize("turns", range(5))
async def test_who_leaves_just_as_its_turn_comes_leaves_no_place_taken(turns: int) -> None:
    queue = Queue(1, LONG_S)

    async def comes() -> None:
        async with queue.place():
            pass

    async with queue.place():
        leaves = asyncio.create_task(comes())
        await asyncio.sleep(0)
    for _ in range(turns):
        await asyncio.sleep(0)
    leaves.cancel()
    with suppress(asyncio.CancelledError):
        await leaves

    async with asyncio.timeout(LONG_S / 10), queue.place():
        pass
