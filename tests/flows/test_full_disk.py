"""A disk without room: what cannot be kept is not acknowledged, the log says why, and it goes on when there is room."""

import resource
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.helpers.process import Gateway, running, until
from tests.helpers.world import World, stand_ins

pytestmark = pytest.mark.long


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with stand_ins(tmp_path) as (carrier, environment):
        gateway = Gateway(tmp_path, **environment)
        gateway.also(PUBLIC_URL=gateway.url)
        async with running(gateway):
            yield World(gateway, carrier, tmp_path)


async def test_a_text_that_finds_no_room_is_refused_and_taken_when_it_comes_again(world: World) -> None:
    assert (await world.text("Where is order A-1001?", "SM1")).status_code == 200
    await until(world.all_recorded, "the first reply, and the record of it")
    assert world.gateway.pid is not None

    # No file may grow beyond what the database's log has now: to SQLite this is a disk without room.
    size = (world.folder / "var" / "gateway.db-wal").stat().st_size
    room = resource.prlimit(world.gateway.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    refused = await world.text("Where is order A-1002?", "SM2")
    resource.prlimit(world.gateway.pid, resource.RLIMIT_FSIZE, room)
    taken = await world.text("Where is order A-1002?", "SM2")

    assert (refused.status_code, refused.text) == (503, "not kept, try again\n")
    assert taken.status_code == 200
    assert "A-1002" in (await world.texts(2))[1]["Body"]
    said = [line for line in (world.folder / "gateway.log").read_text().splitlines() if "was not kept" in line]
    assert len(said) == 1
    assert "/sms/inbound was not kept: the database did not answer for 10 s (" in said[0]
