"""What a look with fresh eyes found in the evidence: on odd rows and odd words, nobody reads a traceback."""

import stat
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from config.keys import NAME, keys_of
from config.settings import OpsVariables, Settings
from gateway import audit, exporting, proving
from gateway.errors import ConfigError
from gateway.events import Identity
from gateway.outbox import Outbox
from gateway.sealing import Sealing
from gateway.store import Store, Tx
from tests.helpers.cli import says
from tests.helpers.clock import Clock
from tests.helpers.meddling import spoil
from tests.helpers.office import ALICE, OPS, Carrier, Quiet
from tests.helpers.rows import rows
from tests.helpers.terminal import Terminal
from tests.helpers.town import POLICY, Town

TOKEN = "a-token-of-the-tests-alone"
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
NOT_UTF8 = "\udcff" * 9  # how Python hands over a byte that is none
REFUND = "Please refund order A-1001, $40."


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = Store(database_url)
    yield store
    await store.aclose()


@pytest.fixture
async def watched(database_url: str, tmp_path: Path, clock: Clock) -> AsyncIterator[Town]:
    """A town where operations may look through the API."""
    town = Town(database_url, tmp_path, clock, POLICY)
    town.settings = town.settings.model_copy(update={"ops": OpsVariables(token=SecretStr(TOKEN))})
    await town.open()
    yield town
    await town.close()


async def asked(town: Town, path: str) -> tuple[int, str]:
    """What operations hear from the API."""
    async with httpx.AsyncClient(timeout=20) as http:
        url, headers = f"{town.live.url}/api/approvals{path}", {"authorization": f"Bearer {TOKEN}"}
        answer = await http.get(url, headers=headers)
    return answer.status_code, answer.text


async def test_a_request_whose_conversation_was_erased_can_still_be_shown(watched: Town, tmp_path: Path) -> None:
    await watched.alice.texts(REFUND)
    await watched.card()
    (request,) = await rows(watched.store, "approvals")
    agent = {"AGENT_SERVER__DATABASE_URL": watched.settings.agent_server.database_url}
    await says(watched.settings.database_url, "conversations", "erase", "1", "--yes", **agent)

    status, told = await asked(watched, f"/{request['id']}")
    shown = await Terminal(watched, tmp_path).runs("approvals", "show", request["id"])

    assert status == 200
    assert "(erased)" in shown
    assert "A-1001" not in told + shown


async def test_an_id_that_no_database_takes_is_refused(watched: Town) -> None:
    status, told = await asked(watched, "/a%00b")

    assert status == 422
    assert "path.id" in told


@pytest.mark.parametrize("written", ["at = 'yesterday'", "facts = x'00ff'"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # PostgreSQL takes no such values
async def test_a_row_that_nobody_can_read_any_more_is_named(written: str, store: Store, clock: Clock) -> None:
    async def deed(tx: Tx) -> None:
        for number in range(7):
            await audit.note(tx, "decided", NOW, approval_id=f"a{number}")

    await store.write(deed)
    await Sealing(store, Outbox(store, Quiet(), {}, clock, alerts=()), clock).seal()
    await spoil(store, f"UPDATE audit SET {written} WHERE id = 5")

    found = await proving.verify(store)

    assert found.broken is not None
    assert (found.broken.n, found.broken.audit_id, found.broken.what, found.links) == (5, 5, "changed", 4)


def test_an_empty_key_is_no_key(tmp_path: Path) -> None:
    settings = Settings.model_construct(database_url=f"sqlite:///{tmp_path}/gateway.db")
    (tmp_path / NAME).touch()

    with pytest.raises(ConfigError, match="is empty: delete it"):
        keys_of(settings)
    with pytest.raises(ConfigError, match="SECRET_KEY is empty"):
        keys_of(settings.model_copy(update={"secret_key": SecretStr(" , ")}))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "words",
    [
        ("audit", "export", NOT_UTF8),
        ("audit", "export", "--from", "2026-01-01", "--to", "2026-01-02", "--tool", NOT_UTF8),
        ("approvals", "show", NOT_UTF8),
        ("conversations", "export", "--person", f"sms:{NOT_UTF8}"),
        ("conversations", "erase", "--yes", "--person", f"sms:{NOT_UTF8}"),
    ],
)
async def test_words_that_are_no_utf8_are_one_line(words: tuple[str, ...], database_url: str) -> None:
    assert await says(database_url, *words, code=1) == "gateway: what was written on the command line is not UTF-8\n"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_last_day_of_all_is_refused(database_url: str) -> None:
    assert "--to" in await says(database_url, "audit", "export", "--from", "2026-01-01", "--to", "9999-12-31", code=2)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_exported_evidence_is_for_its_owner_alone(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "november.csv"

    await says(database_url, "audit", "export", "--from", "2026-11-01", "--to", "2026-11-30", "--output", str(file))

    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_a_customers_export_holds_no_colleagues_number(store: Store, clock: Clock) -> None:
    await spoil(
        store,
        "INSERT INTO conversations (id, channel, account, thread_key, agent, mode, epoch, next_seq, created_at, "
        f"last_message_at) VALUES (1, 'sms', '+1', '{ALICE.key}', 'a', 'human', 0, 1, '{NOW}', '{NOW}')",
    )
    outbox = Outbox(store, Quiet(), {"sms": Carrier()}, clock, alerts=[OPS])
    await store.write(lambda tx: outbox.tell_operations(tx, "a draft", key="draft:1", conversation_id=1))

    told = await exporting.conversation(store, 1)

    assert told is not None
    (message,) = told["messages"]
    assert (message["text"], message["to"]) == ("Gatehouse: a draft", "colleagues")
    assert OPS.key not in str(told["messages"])


def test_half_a_character_has_a_pseudonym_and_a_digest_too() -> None:
    assert audit.pseudonym(Identity(channel="sms", address="\ud83d")).startswith("sms:")
