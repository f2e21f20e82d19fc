"""The metrics page: what the rows say, to whom it is said, and that it comes in time whatever is wrong."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text
from sqlmodel import SQLModel
from starlette.applications import Starlette

from gateway.inbox import Inbox
from gateway.outbox import Outbox
from gateway.policy import Policy
from gateway.store import Store, Tx, marks, pauses
from gateway.store.sql import insert_new
from gateway.store.tables import ApprovalRow, ConversationRow, InboxRow, OutboxRow, TurnRow
from gateway.store.texting import ConsentRow
from gateway.web.metrics import KEEP, Metrics, route
from tests.helpers.clock import Clock
from tests.helpers.office import OPS, Carrier, Quiet
from tests.helpers.process import Gateway, running
from tests.helpers.rows import rows
from tests.helpers.town import Town
from tests.helpers.world import stand_ins

TOKEN = "a-token-of-the-tests-alone"
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


class Page(dict[str, float]):
    """Samples by name and labels, as they stand on the page: `gatehouse_turns_total{outcome="done"}`."""

    def __init__(self, page: str) -> None:
        super().__init__()
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
                self[sample.name + (f"{{{labels}}}" if labels else "")] = sample.value

    def of(self, name: str) -> dict[str, float]:
        """By the values of the labels."""
        return {key.split('"')[1]: value for key, value in self.items() if key.startswith(name + "{")}

    @property
    def missing(self) -> set[str]:
        return {question for question, is_missing in self.of("gatehouse_scrape_missing").items() if is_missing}


class Rows:
    """Writes rows as they stand after some history."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._number = 0

    async def add(self, *rows: SQLModel) -> None:
        async def deed(tx: Tx) -> None:
            for row in rows:
                values = {name: value for name, value in row.model_dump().items() if value is not None}
                await insert_new(tx.db, type(row), **values)

        await self._store.write(deed)

    async def conversation(self, **values: Any) -> int:
        self._number += 1
        now = self._clock()
        base = {"id": self._number, "channel": "sms", "account": "A", "thread_key": str(self._number)}
        base |= {"agent": "support", "created_at": now, "last_message_at": now}
        await self.add(ConversationRow(**base | values))
        return self._number

    async def event(self, conversation_id: int, *, age: timedelta = SECOND, **values: Any) -> int:
        self._number += 1
        base = {"id": self._number, "conversation_id": conversation_id, "seq": self._number, "kind": "message"}
        base |= {"event_key": f"e{self._number}", "payload": "{}", "received_at": self._clock() - age}
        await self.add(InboxRow(**base | values))
        return self._number

    async def turn(self, *, age: timedelta = MINUTE, spoke_after: float | None = None, **values: Any) -> int:
        began = self._clock() - age
        conversation_id = await self.conversation()
        inbox_id = await self.event(conversation_id, status="done")
        base = {"id": inbox_id, "conversation_id": conversation_id, "inbox_id": inbox_id, "session_id": "s"}
        base |= {"posted_text": "", "posted_digest": "", "started_at": began}
        if spoke_after is not None:
            base["first_delta_at"] = began + timedelta(seconds=spoke_after)
        await self.add(TurnRow(**base | values))
        return inbox_id

    async def message(self, *, age: timedelta = SECOND, **values: Any) -> None:
        self._number += 1
        base = {"dedupe_key": f"k{self._number}", "channel": "sms", "lane": "l", "kind": "say", "payload": "{}"}
        await self.add(OutboxRow(**base | {"created_at": self._clock() - age} | values))

    async def approval(self, *, age: timedelta = SECOND, **values: Any) -> None:
        turn_id, began = await self.turn(), self._clock() - age
        base = {"id": f"a{turn_id}", "conversation_id": turn_id - 1, "turn_id": turn_id, "session_id": "s"}
        base |= {"request_message_id": f"r{turn_id}", "tool_call_id": "t", "tool": "issue_refund", "digest": ""}
        base |= {"policy_version": "", "view": "{}", "created_at": began, "expires_at": began}
        await self.add(ApprovalRow(**base | values))


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = Store(database_url)
    yield store
    await store.aclose()


@pytest.fixture
async def metrics(store: Store, clock: Clock) -> AsyncIterator[Metrics]:
    """Patient: on a busy machine a question may take longer than its second, and most tests are not about that."""
    metrics = Metrics(store, clock, channels=["sms", "slack"], one_s=30, patience_s=60)
    yield metrics
    await metrics.aclose()


@pytest.fixture
async def hasty(store: Store, clock: Clock) -> AsyncIterator[Metrics]:
    """As they run."""
    metrics = Metrics(store, clock, channels=["sms", "slack"])
    yield metrics
    await metrics.aclose()


@pytest.fixture
def house(store: Store, clock: Clock) -> Rows:
    return Rows(store, clock)


async def page(metrics: Metrics) -> Page:
    return Page((await metrics.page()).decode())


def near(seconds: float) -> Any:
    """An age, read a moment later."""
    return pytest.approx(seconds, abs=9)


def client(metrics: Metrics, *, token: str = "", open_without: bool = False) -> httpx.AsyncClient:
    app = Starlette(routes=[route(metrics, token=token, open_without=open_without)])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway.example")


# --- what it says ------------------------------------------------------------------------------------------


async def test_a_new_gateway_shows_zeros_so_that_an_alert_has_something_to_look_at(metrics: Metrics) -> None:
    shown = await page(metrics)

    assert shown.of("gatehouse_inbox_events") == {"ready": 0, "held": 0, "retry": 0, "paused": 0}
    assert shown.of("gatehouse_turns_total") == {"done": 0, "failed": 0, "interrupted": 0}
    assert shown.of("gatehouse_approvals_total") == {"approved": 0, "denied": 0, "expired": 0, "cancelled": 0}
    assert shown.of("gatehouse_dead_letters") == {"inbox": 0, "outbox": 0}
    assert shown['gatehouse_outbox_open{channel="slack",state="queued"}'] == 0
    assert shown['gatehouse_outbox_ended{channel="sms",state="delivered"}'] == 0
    assert shown["gatehouse_approvals_open"] == 0
    assert shown["gatehouse_engine_lag_seconds"] == 0
    assert shown["gatehouse_tokens_total"] == 0
    assert shown['gatehouse_build_info{version="0.1.0"}'] == 1
    assert shown.missing == set()


async def test_events_are_told_apart_by_what_they_wait_for(metrics: Metrics, house: Rows, clock: Clock) -> None:
    free, asked = await house.conversation(), await house.conversation(parked_turn_id=7)
    human, other = await house.conversation(mode="human"), await house.conversation(agent="sales")
    await house.event(free, age=3 * SECOND)
    await house.event(free, age=60 * SECOND, not_before=clock() + MINUTE)
    await house.event(free, status="done", age=timedelta(days=3))
    await house.event(asked, age=30 * SECOND)
    await house.event(asked, kind="decision", control=True)
    await house.event(human)
    await house.event(other, age=90 * SECOND)
    await house.event(other, kind="expired", control=True)
    await house.add(pauses.PauseRow(scope="agent:sales", since=clock() - MINUTE, by="cli:ana", reason="recall"))

    shown = await page(metrics)

    assert shown.of("gatehouse_inbox_events") == {"ready": 3, "held": 2, "retry": 1, "paused": 1}
    assert shown.of("gatehouse_inbox_oldest_seconds") == {
        "ready": near(3),
        "held": near(30),
        "retry": near(60),
        "paused": near(90),
    }
    assert shown["gatehouse_pauses_open"] == 1
    assert shown['gatehouse_pause_age_seconds{scope="agent:sales"}'] == near(60)


async def test_minutes_in_which_a_platform_held_events_back_are_counted_for_a_day(
    metrics: Metrics, store: Store, clock: Clock
) -> None:
    outbox = Outbox(store, Quiet(), {"sms": Carrier()}, clock, alerts=[OPS])
    inbox, began = Inbox(store, Quiet(), outbox, Policy(), clock), clock()
    for minute in (0, 0, 1):
        await inbox.held_back("slack", "T0TEAM", began + timedelta(minutes=minute))
    await inbox.held_back("slack", "T0OTHER", began)

    assert (await page(metrics)).of("gatehouse_held_back_minutes") == {"sms": 0, "slack": 3}
    assert len(await rows(store, "outbox")) == 1, "operations are told once an hour"
    clock.passes(timedelta(hours=25))
    assert (await page(metrics)).of("gatehouse_held_back_minutes") == {"sms": 0, "slack": 0}
    await inbox.held_back("slack", "T0TEAM", clock())
    assert len(await rows(store, "marks")) == 1, "older ones are forgotten"


async def test_a_decision_made_while_approvals_are_paused_is_shown_as_paused(
    metrics: Metrics, house: Rows, clock: Clock
) -> None:
    asked = await house.conversation(parked_turn_id=7)
    await house.event(asked, kind="decision", control=True)
    await house.add(pauses.PauseRow(scope="approvals", since=clock(), by="cli:ana"))

    assert (await page(metrics)).of("gatehouse_inbox_events") == {"ready": 0, "held": 0, "retry": 0, "paused": 1}


async def test_the_lag_is_the_age_of_what_nobody_takes_and_silence_that_nobody_works(
    metrics: Metrics, store: Store, house: Rows, clock: Clock
) -> None:
    await house.event(await house.conversation(), age=40 * SECOND)
    await house.event(await house.conversation(parked_turn_id=7), age=timedelta(days=1))
    await store.write(lambda tx: marks.put(tx, marks.ALIVE, clock() - 5 * SECOND))

    shown = await page(metrics)

    assert shown["gatehouse_engine_lag_seconds"] == near(40)
    assert shown["gatehouse_engine_silence_seconds"] == near(5)


async def test_turns_are_counted_by_outcome_with_their_tokens(metrics: Metrics, house: Rows) -> None:
    for state, tokens in [("done", 100), ("done", 20), ("failed", 3), ("interrupted", 0), ("running", 0)]:
        await house.turn(state=state, tokens=tokens)
    await house.turn(state="parked", tokens=1)

    shown = await page(metrics)

    assert shown.of("gatehouse_turns_total") == {"done": 2, "failed": 1, "interrupted": 1}
    assert shown.of("gatehouse_turns_open") == {"running": 1, "parked": 1}
    assert shown["gatehouse_tokens_total"] == 124


async def test_the_time_to_the_first_words_is_that_of_the_last_hour(metrics: Metrics, house: Rows) -> None:
    for after in (0.5, 1.0, 4.0):
        await house.turn(spoke_after=after)
    await house.turn(spoke_after=900.0, age=timedelta(minutes=61))
    await house.turn(spoke_after=None)

    shown = await page(metrics)

    assert shown.of("gatehouse_time_to_first_delta_seconds")["0.5"] == 1.0
    assert max(shown.of("gatehouse_time_to_first_delta_seconds").values()) <= 4.0
    assert shown["gatehouse_time_to_first_delta_turns"] == 3


async def test_messages_are_counted_by_channel_and_state_with_their_segments(metrics: Metrics, house: Rows) -> None:
    await house.message(status="queued", age=20 * SECOND)
    await house.message(status="queued", age=10 * SECOND)
    await house.message(status="unknown", channel="slack", age=5 * SECOND)
    await house.message(status="delivered", segments=2)
    await house.message(status="sent", segments=3)
    await house.message(status="failed", channel="slack")

    shown = await page(metrics)

    assert shown['gatehouse_outbox_open{channel="sms",state="queued"}'] == 2
    assert shown['gatehouse_outbox_open{channel="slack",state="unknown"}'] == 1
    assert shown['gatehouse_outbox_oldest_seconds{channel="sms",state="queued"}'] == near(20)
    assert shown['gatehouse_outbox_ended{channel="sms",state="delivered"}'] == 1
    assert shown['gatehouse_outbox_ended{channel="slack",state="failed"}'] == 1
    assert shown["gatehouse_segments_total"] == 5


async def test_requests_are_counted_while_they_are_open_and_by_what_came_of_them(metrics: Metrics, house: Rows) -> None:
    await house.approval(age=50 * SECOND)
    await house.approval()
    for state in ("approved", "approved", "denied", "expired"):
        await house.approval(state=state, age=timedelta(days=1))

    shown = await page(metrics)

    assert shown["gatehouse_approvals_open"] == 2
    assert shown["gatehouse_approvals_oldest_seconds"] == near(50)
    assert shown.of("gatehouse_approvals_total") == {"approved": 2, "denied": 1, "expired": 1, "cancelled": 0}


async def test_who_wants_no_messages_is_counted(metrics: Metrics, house: Rows, clock: Clock) -> None:
    for number, state in enumerate(("out", "out", "in")):
        said = {"account": "+1", "address": f"+2{number}", "state": state, "source": "keyword", "at": clock()}
        await house.add(ConsentRow(channel="sms", **said))

    told = await page(metrics)
    assert told['gatehouse_consents{channel="sms",state="out"}'] == 2
    assert told['gatehouse_consents{channel="sms",state="in"}'] == 1
    assert told['gatehouse_consents{channel="slack",state="out"}'] == 0


async def test_dead_letters_are_those_that_nobody_has_replayed_or_dropped(metrics: Metrics, house: Rows) -> None:
    lane = await house.conversation()
    for status in ("dead", "dead", "replayed", "dropped", "done"):
        await house.event(lane, status=status)
    await house.message(status="failed")

    assert (await page(metrics)).of("gatehouse_dead_letters") == {"inbox": 2, "outbox": 1}


async def test_the_age_of_something_younger_than_our_clock_is_not_below_zero(metrics: Metrics, house: Rows) -> None:
    await house.event(await house.conversation(), age=-MINUTE)

    assert (await page(metrics)).of("gatehouse_inbox_oldest_seconds")["ready"] == 0


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_on_postgresql_waiting_jobs_and_live_workers_are_counted(metrics: Metrics, store: Store) -> None:
    async def deed(tx: Tx) -> None:
        for statement in (
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args) VALUES ('turns', 'drain', '{}')",
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now()), (now()), (now() - interval '9 s')",
        ):
            await (await tx.db.connection()).execute(text(statement))

    await store.write(deed)
    shown = await page(metrics)

    assert shown.of("gatehouse_engine_jobs") == {"turns": 1, "control": 0, "sends": 0}
    assert shown["gatehouse_engine_workers"] == 2


async def test_after_a_refund_the_page_tells_of_it(town: Town) -> None:
    await town.alice.texts("Please refund order A-1001, $40.")
    await town.ana.approves(await town.card())
    await town.alice.gets(2)
    town.clock.passes(KEEP)
    async with httpx.AsyncClient() as http:
        answer = await http.get(town.live.url + "/metrics")
    shown = Page(answer.text)

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert shown.of("gatehouse_turns_total")["done"] == 1
    assert shown.of("gatehouse_approvals_total")["approved"] == 1
    assert shown["gatehouse_approvals_open"] == 0
    assert shown.missing == set()


# --- in time, whatever is wrong ----------------------------------------------------------------------------


async def test_totals_are_counted_again_after_a_while_and_what_waits_each_time(
    metrics: Metrics, house: Rows, clock: Clock
) -> None:
    lane = await house.conversation()
    await page(metrics)
    await house.turn(state="done")
    await house.event(lane)

    soon = await page(metrics)
    clock.passes(KEEP + 5 * SECOND)
    later = await page(metrics)

    assert soon.of("gatehouse_inbox_events")["ready"] == 1
    assert soon.of("gatehouse_turns_total")["done"] == 0
    assert later.of("gatehouse_turns_total")["done"] == 1


async def test_one_question_that_fails_is_left_out_and_named(
    metrics: Metrics, store: Store, house: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    await house.message(status="queued")
    await store.write(lambda tx: _run(tx, "ALTER TABLE turns RENAME COLUMN tokens TO gone"))

    shown = await page(metrics)

    assert shown.missing == {"turns"}
    assert shown.of("gatehouse_turns_total") == {}
    assert shown['gatehouse_outbox_open{channel="sms",state="queued"}'] == 1
    assert "metrics: turns could not be asked" in caplog.text


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_one_question_that_takes_long_is_left_out_until_it_is_answered(hasty: Metrics, database_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(database_url) as somebody:
        await somebody.execute("LOCK TABLE approvals IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        shown = await page(hasty)
        took = time.monotonic() - began
    afterwards = await page(hasty)

    assert took < 2.5
    assert "approvals" in shown.missing
    assert "gatehouse_pauses_open" in shown
    assert "approvals" not in afterwards.missing


async def test_a_crowd_that_asks_at_once_gets_the_same_answer(metrics: Metrics, house: Rows) -> None:
    await house.event(await house.conversation())

    pages = await asyncio.gather(*(page(metrics) for _ in range(20)))

    assert {one.of("gatehouse_inbox_events")["ready"] for one in pages} == {1}
    assert all(one.missing == set() for one in pages)


async def test_a_database_that_is_away_is_one_line_and_503(clock: Clock) -> None:
    url = "postgresql://postgres:s3cret@127.0.0.1:1/gatehouse"
    async with _away(url, clock) as metrics, client(metrics, open_without=True) as http:
        answer = await http.get("/metrics")

    assert (answer.status_code, answer.text) == (503, "the database does not answer\n")


async def test_a_database_that_says_nothing_is_one_line_within_two_seconds(clock: Clock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with _away(f"postgresql://postgres@127.0.0.1:{silent.getsockname()[1]}/gatehouse", clock) as metrics:
            began = time.monotonic()
            async with client(metrics, open_without=True) as http:
                answer = await http.get("/metrics")
            took = time.monotonic() - began

    assert answer.status_code == 503
    assert took < 2.5


# --- to whom -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer  {TOKEN} ", 200),
        (f"Bearer {TOKEN}x", 401),
        (f"Basic {TOKEN}", 401),
        (TOKEN, 401),
        ("Bearer", 401),
        ("Bearer \xff", 401),
        (None, 401),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_with_a_token_the_page_is_for_whoever_sends_it(metrics: Metrics, header: str | None, status: int) -> None:
    headers = [(b"authorization", header.encode("latin-1"))] if header is not None else []
    async with client(metrics, token=TOKEN, open_without=True) as http:
        answer = await http.get("/metrics", headers=headers)

    assert answer.status_code == status
    assert answer.headers["cache-control"] == "no-store"
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.text.count("\n") == 1
        assert TOKEN not in answer.text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_without_a_token_a_real_gateway_says_what_to_set(metrics: Metrics) -> None:
    async with client(metrics, open_without=False) as http:
        answer = await http.get("/metrics", headers={"Authorization": "Bearer "})

    assert answer.status_code == 404
    assert "OPS__TOKEN" in answer.text
    assert answer.text.count("\n") == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_page_can_only_be_read(metrics: Metrics) -> None:
    async with client(metrics, open_without=True) as http:
        assert (await http.post("/metrics")).status_code == 405


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_web_process_with_real_channels_shows_its_metrics_to_the_token(
    database_url: str, tmp_path: Path
) -> None:
    async with stand_ins(tmp_path) as (_, environment):
        web = Gateway(tmp_path, command="web", DATABASE_URL=database_url, **environment | {"OPS__TOKEN": TOKEN})
        web.also(PUBLIC_URL=web.url)
        async with running(web), httpx.AsyncClient(base_url=web.url) as http:
            refused = await http.get("/metrics")
            shown = Page((await http.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})).text)

    assert refused.status_code == 401
    assert shown["gatehouse_engine_workers"] == 0
    assert shown['gatehouse_outbox_open{channel="sms",state="queued"}'] == 0


async def _run(tx: Tx, statement: str) -> None:
    await (await tx.db.connection()).execute(text(statement))


@contextlib.asynccontextmanager
async def _away(url: str, clock: Clock) -> AsyncIterator[Metrics]:
    store = Store(url)
    metrics = Metrics(store, clock, channels=[])
    try:
        yield metrics
    finally:
        await metrics.aclose()
        await store.aclose()
