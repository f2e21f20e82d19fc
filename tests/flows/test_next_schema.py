"""The next release's migration runs while this one works: it only adds, so nobody notices but `/readyz`."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest
import sqlalchemy

from gateway.store import database_url as with_driver
from tests.helpers.town import Town

TABLES = ("conversations", "inbox", "turns", "approvals", "votes", "outbox", "timers", "leases", "audit", "pauses")
TEXTS = 24


def next_migration(url: str) -> Iterator[None]:
    """What a release after this one may do, one statement after the other."""
    target = with_driver(url)
    driver = "sqlite" if target.get_backend_name() == "sqlite" else target.drivername
    engine = sqlalchemy.create_engine(target.set(drivername=driver), isolation_level="AUTOCOMMIT")
    statements = [f"ALTER TABLE {table} ADD COLUMN added_later TEXT" for table in TABLES]
    statements += [f"ALTER TABLE {table} ADD COLUMN counted_later INTEGER NOT NULL DEFAULT 0" for table in TABLES]
    statements += [f"CREATE INDEX later_{table} ON {table} (added_later)" for table in TABLES]
    statements += ["CREATE TABLE later (id INTEGER PRIMARY KEY)", "UPDATE alembic_version SET version_num = '9999'"]
    try:
        for statement in statements:
            with engine.connect() as connection:
                connection.execute(sqlalchemy.text(statement))
            yield
    finally:
        engine.dispose()


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_the_next_schema_arrives_under_load_and_every_text_is_answered(town: Town) -> None:
    async def texts() -> None:
        for number in range(TEXTS):
            await town.sandbox.text(f"+1555300{number:04}", "Where is order A-1001?")

    async def migrates() -> None:
        steps = next_migration(town.settings.database_url)
        while await asyncio.to_thread(next, steps, "done") != "done":
            pass

    await asyncio.gather(texts(), migrates())
    await town.alice.texts("Please refund order A-1002, $12.")
    await town.ana.approves(await town.card())

    assert "I refunded $12" in (await town.alice.gets(2))[1]
    phones = [f"+1555300{number:04}" for number in range(TEXTS)]
    await town.until(lambda: all(answers(town, phone) == 1 for phone in phones), "an answer to every text")
    async with httpx.AsyncClient() as client:
        ready = await client.get(town.live.url + "/readyz")
    assert ready.status_code == 503
    assert "revision 9999, which a newer release made" in ready.json()["checks"]["migrations"]


def answers(town: Town, phone: str) -> int:
    return sum(one["direction"] != "inbound" for one in town.sandbox.state()["phones"].get(phone, []))
