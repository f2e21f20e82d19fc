"""Where the app is installed: sealed at rest, gone at once when it is removed, and each OAuth state good once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from gateway.errors import KeyRefused
from gateway.installations import Installed, Installing
from gateway.outbox import Outbox
from gateway.store import Store
from tests.helpers.clock import Clock
from tests.helpers.office import OPS, Quiet
from tests.helpers.rows import rows

OLD, NEW = "the key of last year", "the key of this year"
TOKEN = "xoxb-of-acme"


class Process:
    """One of several over the same rows."""

    def __init__(self, store: Store, clock: Clock, *keys: str) -> None:
        self.door = Installing(store, Outbox(store, Quiet(), {}, clock, alerts=[OPS]), keys, clock)
        self.installed = Installed(store, keys, "slack")


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = Store(database_url)
    yield store
    await store.aclose()


async def test_what_is_kept_is_read_in_every_process_and_is_not_in_the_rows(store: Store, clock: Clock) -> None:
    one, other = Process(store, clock, OLD), Process(store, clock, OLD)

    await one.door.keep("slack", "T0ACME", TOKEN, name="Acme")

    assert await other.installed.secret("T0ACME") == TOKEN
    assert await other.installed.secret("T0OTHER") is None
    assert [(one.account, one.name) for one in await other.installed.all()] == [("T0ACME", "Acme")]
    assert "acme" not in str([row["sealed"] for row in await rows(store, "installations")])


async def test_an_old_key_opens_it_and_the_newest_seals_it_anew(store: Store, clock: Clock) -> None:
    await Process(store, clock, OLD).door.keep("slack", "T0ACME", TOKEN, name="Acme")

    assert await Process(store, clock, NEW, OLD).installed.secret("T0ACME") == TOKEN
    assert await Process(store, clock, NEW).installed.secret("T0ACME") == TOKEN
    with pytest.raises(KeyRefused, match="SECRET_KEY"):
        await Process(store, clock, OLD).installed.secret("T0ACME")


async def test_sealed_for_one_workspace_it_opens_for_no_other(store: Store, clock: Clock) -> None:
    process = Process(store, clock, OLD)
    await process.door.keep("slack", "T0ACME", TOKEN, name="")
    (row,) = await rows(store, "installations")

    assert process.installed._vault.open(row["sealed"], "slack:T0EVIL") is None


async def test_a_removal_holds_at_once_everywhere_and_operations_hear_of_it_once(store: Store, clock: Clock) -> None:
    one, other = Process(store, clock, OLD), Process(store, clock, OLD)
    await one.door.keep("slack", "T0ACME", TOKEN, name="Acme")

    removed = [await process.door.remove("slack", "T0ACME", before=clock()) for process in (one, other)]

    assert removed == [True, False]
    assert await one.installed.secret("T0ACME") is None
    assert [row["sealed"] for row in await rows(store, "installations")] == [""]
    assert [row["what"] for row in await rows(store, "audit")] == ["installed", "uninstalled"]
    (alert,) = await rows(store, "outbox")
    assert "slack:T0ACME" in alert["payload"]


async def test_a_late_repeat_of_the_removal_leaves_what_was_installed_since(store: Store, clock: Clock) -> None:
    process = Process(store, clock, OLD)
    await process.door.keep("slack", "T0ACME", "xoxb-first", name="Acme")
    left = clock()
    await process.door.remove("slack", "T0ACME", before=left)
    clock.passes(timedelta(minutes=5))
    await process.door.keep("slack", "T0ACME", "xoxb-second", name="Acme")

    assert not await process.door.remove("slack", "T0ACME", before=left)
    assert await process.installed.secret("T0ACME") == "xoxb-second"


async def test_a_state_is_good_once_whichever_process_is_asked(store: Store, clock: Clock) -> None:
    one, other = Process(store, clock, OLD), Process(store, clock, NEW, OLD)
    state = await one.door.new_state()

    used = await asyncio.gather(*(process.door.use_state(state) for process in (one, other) * 3))

    assert sorted(used) == [False] * 5 + [True]


@pytest.mark.parametrize(
    "spoil", [lambda s: "1" + s, lambda s: s[:-1] + "x", lambda s: "", lambda s: "a.b.c", lambda s: "é"]
)
async def test_a_forged_state_is_none(spoil, store: Store, clock: Clock) -> None:
    process = Process(store, clock, OLD)

    assert not await process.door.use_state(spoil(await process.door.new_state()))


async def test_a_state_lives_ten_minutes_and_what_is_over_is_forgotten(store: Store, clock: Clock) -> None:
    process = Process(store, clock, OLD)
    late, good = await process.door.new_state(), await process.door.new_state()
    assert await process.door.use_state(good)
    clock.passes(timedelta(minutes=11))

    assert not await process.door.use_state(late)
    assert await process.door.use_state(await process.door.new_state())
    assert len(await rows(store, "used_states")) == 1
