"""Many events at once, some of them twice: each handled once, and each conversation in the order of its commits."""

import asyncio
import contextlib
import random
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.store.tables import OutboxRow
from tests.helpers import coreproc
from tests.helpers.agents import AgentTurn
from tests.helpers.core import Core, Ends, Start
from tests.helpers.coreproc import Text
from tests.helpers.process import until

pytestmark = pytest.mark.long

TWICE = 0.1
PATIENCE_S = 500.0


@pytest.mark.parametrize(
    ("events", "conversations"),
    [(150, 30), pytest.param(3000, 500, marks=[pytest.mark.long, pytest.mark.timeout(600)])],
)
async def test_texts_sent_at_once_are_answered_once_each_and_in_order(
    start: Start, ends: Ends, database_url: str, tmp_path: Path, events: int, conversations: int
) -> None:
    core = await start(at_work=False)
    first, second = _shared_out(events, conversations)
    begun = time.monotonic()

    async with _at_work(core, ends, database_url, tmp_path) as (receive, told):
        counted = await receive(first, second)
        received = time.monotonic() - begun
        await until(lambda: _all_answered(core, events), "an answer to everything", within_s=PATIENCE_S)
        took = time.monotonic() - begun
        seen = await told()

    assert counted == {"kept": events, "duplicate": len(first) + len(second) - events, "no_route": 0, "ignored": 0}
    kept = await _words_by_seq(core)
    assert sum(len(words) for words in kept.values()) == events
    assert Counter(words for posts in seen["posts"] for words in posts) == Counter(_all(kept.values()))
    out_of_order = sum(posts not in kept.values() for posts in seen["posts"])
    out_of_order += sum(seen["told"].get(number) != words for number, words in kept.items())
    kind = database_url.partition(":")[0]
    print(f"\n{kind}: {events} texts kept in {received:.1f} s, answered in {took:.1f} s; {out_of_order} out of order")
    assert out_of_order == 0


def _shared_out(events: int, conversations: int) -> tuple[list[Text], list[Text]]:
    """Between two receivers: some come twice, to the same one or to both at the same time."""
    dice = random.Random(3)
    first: list[Text] = []
    second: list[Text] = []
    for number in range(events):
        text = (
            f"+1555{dice.randrange(conversations) if number >= conversations else number:07d}",
            f"kite {number}",
            "",
        )
        here, there = (first, second) if dice.random() < 0.5 else (second, first)
        here.append(text)
        if dice.random() < TWICE:
            (there if dice.random() < 0.5 else here).append(text)
    return first, second


@contextlib.asynccontextmanager
async def _at_work(core: Core, ends: Ends, url: str, folder: Path) -> AsyncIterator[tuple[Any, Any]]:
    """SQLite: everything here. PostgreSQL: a worker and two receivers, each a process of its own."""
    if core.store.on_sqlite:
        ends.agents.does(_repeats, on="")
        async with core.at_work():

            async def here(*shares: list[Text]) -> Counter[str]:
                return _sum(await asyncio.gather(*(coreproc.receive(core, share) for share in shares)))

            yield here, lambda: _now(coreproc.told(ends))
        return
    log = folder / "processes.log"
    async with (
        coreproc.running("work", url, log) as worker,
        coreproc.running("receive", url, log) as one,
        coreproc.running("receive", url, log) as other,
    ):

        async def there(*shares: list[Text]) -> Counter[str]:
            await asyncio.gather(one.tell(shares[0]), other.tell(shares[1]))
            return _sum([await process.says("done", within_s=PATIENCE_S) for process in (one, other)])

        yield there, worker.stop


async def _repeats(turn: AgentTurn) -> None:
    turn.replies(turn.words)


async def _now(what: Any) -> Any:
    return what


def _sum(counted: list[dict[str, int]]) -> Counter[str]:
    return Counter({word: sum(one[word] for one in counted) for word in counted[0]})


def _all(lists: Any) -> list[str]:
    return [one for each in lists for one in each]


async def _all_answered(core: Core, events: int) -> bool:
    question = (
        select(func.count())
        .select_from(OutboxRow)
        .where(col(OutboxRow.status) == "sent", col(OutboxRow.dedupe_key).startswith("reply:"))
    )

    async def sent(db: AsyncSession) -> int:
        return (await db.exec(question)).one()

    return await core.store.read(sent) == events


async def _words_by_seq(core: Core) -> dict[str, list[str]]:
    """What each number wrote, in the order it was kept."""
    found: dict[str, list[str]] = defaultdict(list)
    for row in sorted(await core.rows("inbox"), key=lambda row: row["seq"]):
        number, words = row["event_key"].removeprefix("sms:").split(": ")
        found[number].append(words)
    return found
