import asyncio
import contextlib

import pytest

from adapters.agent.inflow import Inflow
from gateway.errors import AgentUnavailable, LineLost
from gateway.events import AgentEvent, Delta, Replied


def delta(n: int) -> Delta:
    return Delta(message_id="m", text=str(n))


def replied(n: int) -> Replied:
    return Replied(message_id="m", text=str(n))


async def everything(inflow: Inflow) -> list[AgentEvent]:
    inflow.close(AgentUnavailable("gone"))
    seen = []
    with contextlib.suppress(AgentUnavailable):
        async for event in inflow:
            seen.append(event)
    return seen


async def test_events_come_out_in_the_order_they_went_in() -> None:
    inflow = Inflow()
    for event in (delta(1), replied(2), delta(3)):
        inflow.put(event)

    assert await everything(inflow) == [delta(1), replied(2), delta(3)]


async def test_when_it_is_full_only_deltas_are_dropped() -> None:
    inflow = Inflow(max_waiting=3)
    for event in (delta(1), delta(2), replied(3), delta(4), replied(5), replied(6), replied(7)):
        inflow.put(event)

    assert await everything(inflow) == [replied(3), replied(5), replied(6), replied(7)]


async def test_whoever_waits_is_told_when_the_line_is_lost() -> None:
    inflow = Inflow()
    waiting = asyncio.ensure_future(anext(inflow))
    await asyncio.sleep(0)

    inflow.close(AgentUnavailable("gone"))

    with pytest.raises(AgentUnavailable):
        await waiting


async def test_deltas_too_large_to_keep_are_dropped() -> None:
    inflow = Inflow(max_delta_chars=10)
    large, small = Delta(message_id="m", text="x" * 8), Delta(message_id="m", text="yy")
    for event in (large, large, small, replied(1), small):
        inflow.put(event)
    assert [await anext(inflow) for _ in range(3)] == [large, small, replied(1)]

    inflow.put(large)

    assert await everything(inflow) == [large]


async def test_who_is_hopelessly_behind_is_told_to_look_at_the_history() -> None:
    inflow = Inflow(max_waiting=2)
    for n in range(1000):
        inflow.put(replied(n))

    assert [await anext(inflow) for _ in range(20)] == [replied(n) for n in range(20)]
    with pytest.raises(LineLost):
        await anext(inflow)
