"""The log: one line a fact with the ids it is about, nobody can forge one, and nothing private is in it."""

import io
import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from config import logs
from gateway import context
from gateway.events import lane_events
from tests.helpers import carriers, slack
from tests.helpers.process import Gateway, running, until
from tests.helpers.world import ALICE, World, stand_ins

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG|INFO|WARNING|ERROR) [\w.]+ ")

HALF_A_ROW = '{"kind": "message", "text": "my card is 4111"}'


class Journal:
    """A logger of its own whose lines are kept."""

    def __init__(self, form: logging.Formatter) -> None:
        self._kept = io.StringIO()
        handler = logging.StreamHandler(self._kept)
        handler.setFormatter(form)
        self.log = logging.Logger("gateway.inbox", logging.DEBUG)
        self.log.addHandler(handler)

    def lines(self) -> list[str]:
        return self._kept.getvalue().splitlines()

    def only(self) -> str:
        (line,) = self.lines()
        return line


@pytest.fixture
def plain() -> Journal:
    return Journal(logs.Plain())


@pytest.fixture
def in_json() -> Journal:
    return Journal(logs.Json())


def fail(words: str) -> None:
    raise ValueError(words)


# --- one line a fact ---------------------------------------------------------------------------------------


def test_a_line_ends_with_the_ids_it_is_about(plain: Journal) -> None:
    with context.about(conversation=3), context.about(event=12, approval=None):
        plain.log.info("kept %s", "it")

    assert LINE.match(plain.only())
    assert plain.only().endswith(" INFO gateway.inbox kept it conversation=3 event=12")


def test_a_line_about_nothing_ends_with_its_words(plain: Journal) -> None:
    plain.log.warning("nothing ran")

    assert plain.only().endswith(" WARNING gateway.inbox nothing ran")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a b", '"a b"'),
        ("a=b", '"a=b"'),
        ('say "hi"', r'"say \"hi\""'),
        ("", '""'),
        ("x\ny", r'"x\ny"'),
        ("a-1", "a-1"),
    ],
)
def test_a_value_that_could_be_misread_is_quoted(value: str, shown: str, plain: Journal) -> None:
    with context.about(approval=value):
        plain.log.info("decided")

    assert plain.only().endswith(f" decided approval={shown}")


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\x85", "\u2028", "\u2029", "\x0b", "\x0c", "\x1c"])
def test_nobody_can_forge_a_line(end: str, plain: Journal) -> None:
    plain.log.info("the tool %s failed", f"x{end}2026-11-21T10:00:00.000Z INFO gateway.approvals approval 1: decided")

    assert len(plain.lines()) == 1
    assert "the tool x\\" in plain.only()


def test_nobody_can_rewrite_the_terminal_or_turn_words_around(plain: Journal) -> None:
    plain.log.info("the tool %s failed", "\x1b[2K\x08\u202egnp")

    assert r"\x1b[2K\x08\u202egnp" in plain.only()


def test_a_traceback_stays_readable_below_its_line_and_cannot_forge_one_either(plain: Journal) -> None:
    try:
        fail("no\n2026-11-21T10:00:00.000Z INFO gateway.approvals approval 1: decided")
    except ValueError:
        with context.about(conversation=3):
            plain.log.exception("an event trips our own code")

    first, *below = plain.lines()
    assert first.endswith("an event trips our own code conversation=3")
    assert below[0] == "    Traceback (most recent call last):"
    assert any(line.strip() == "raise ValueError(words)" for line in below)
    assert all(line.startswith("    ") for line in below)


def test_the_cause_of_an_error_comes_before_it(plain: Journal) -> None:
    try:
        try:
            fail("the disk is full")
        except ValueError as error:
            raise RuntimeError("it was not kept") from error
    except RuntimeError:
        plain.log.exception("stopped")

    words = [line.strip() for line in plain.lines() if "Error: " in line]
    assert words == ["ValueError: the disk is full", "RuntimeError: it was not kept"]


@pytest.mark.parametrize("journal", ["plain", "in_json"])
def test_a_row_that_cannot_be_read_is_not_quoted(journal: str, request: pytest.FixtureRequest) -> None:
    kept: Journal = request.getfixturevalue(journal)
    try:
        lane_events.validate_json(HALF_A_ROW)
    except ValidationError:
        kept.log.exception("an event trips our own code")

    assert any("ValidationError" in line for line in kept.lines())
    assert not any("my card" in line for line in kept.lines())


def test_in_json_a_line_is_an_object_with_the_ids_in_a_field(in_json: Journal) -> None:
    with context.about(conversation=3, message="7"):
        in_json.log.info("two\nlines")
    told = json.loads(in_json.only())

    assert LINE.match(f"{told.pop('time')} INFO x ")
    assert told == {
        "level": "INFO",
        "logger": "gateway.inbox",
        "message": "two\nlines",
        "ids": {"conversation": "3", "message": "7"},
    }


def test_in_json_a_traceback_is_one_field(in_json: Journal) -> None:
    try:
        fail("no")
    except ValueError:
        in_json.log.exception("an event trips our own code")
    told = json.loads(in_json.only())

    assert told["message"] == "an event trips our own code"
    assert told["exception"].startswith("Traceback")
    assert told["exception"].endswith("ValueError: no")


# --- nothing private ---------------------------------------------------------------------------------------


SECRETS = {
    "SECRET_KEY": "the-key-of-this-test-0123456789abcdef",
    "OPS__TOKEN": "the-token-of-this-test",
    "SLACK__BOT_TOKEN": "xoxb-the-bot-of-this-test",
}
PASSWORD = "the-password-of-this-test"
WORDS = ("refund", "A-1001", "kites", "Please", "broken in transit", "A-1003", ALICE.removeprefix("+"))


@pytest.mark.parametrize("form", ["plain", pytest.param("json", marks=pytest.mark.long)])
@pytest.mark.parametrize("database_url", ["sqlite", pytest.param("postgres", marks=pytest.mark.long)], indirect=True)
async def test_a_day_at_debug_level_leaves_no_words_numbers_or_secrets_in_the_log(
    form: str, database_url: str, tmp_path: Path
) -> None:
    async with stand_ins(tmp_path) as (carrier, environment):
        address = database_url.replace("postgres@", f"postgres:{PASSWORD}@")
        wanted = {"LOG_LEVEL": "DEBUG", "LOG_FORMAT": form, "DATABASE_URL": address}
        gateway = Gateway(tmp_path, **environment | SECRETS | wanted)
        gateway.also(PUBLIC_URL=gateway.url)
        async with running(gateway):
            await _a_day(World(gateway, carrier, tmp_path))
        log = gateway.log()

    for secret in (*SECRETS.values(), carriers.SECRET, carriers.TOKEN, PASSWORD):
        assert secret not in log
    for words in WORDS:
        assert words not in log, [line for line in log.splitlines() if words in line]
    _shows_ids(log, form)


async def _a_day(world: World) -> None:
    """An approval, a denial, a stranger's click, a turn that fails, a forged text and a customer in Slack."""
    await world.text("Please refund order A-1001, $40.", "SM1")
    card = await world.card()
    await world.slack(slack.click("U0EVE", "T0TEAM", "C0REAL", card, "approval_approve"))
    await world.slack(slack.click("U0ANA", "T0TEAM", "C0REAL", card, "approval_approve"))
    await world.texts(2)
    await world.text("Please fail.", "SM2")
    await world.texts(3)
    await world.text("Search the web for kites.", "SM3")
    await world.texts(4)
    await world.text("broken in transit", "SM4", signed_for="https://elsewhere.example")
    await world.post("/slack/events", content=b'{"text": "broken in transit"}')
    await world.post("/sms/status", content=b"Body=broken+in+transit")
    await world.slack(slack.message("Where is order A-1003?", ts="1700000100.000100"))

    async def answered() -> bool:
        return any("A-1003" in post.get("text", "") for post in world.carriers.called("chat.postMessage"))

    await until(answered, "the reply in Slack")


def _shows_ids(log: str, form: str) -> None:
    if form == "plain":
        assert all(LINE.match(line) or line.startswith("    ") for line in log.splitlines())
        assert re.search(r" conversation=\d+", log)
        return
    told: list[dict[str, Any]] = [json.loads(line) for line in log.splitlines()]
    assert any("conversation" in line["ids"] for line in told)
