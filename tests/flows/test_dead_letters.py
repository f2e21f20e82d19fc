"""What was set aside is found by operations and taken up again: from the command line, beside a running gateway."""

import contextlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

from adapters.agent.server import app as agent_server
from config.running import AGENTS
from config.serving import bind, serving
from tests.helpers.cli import says
from tests.helpers.clock import Clock
from tests.helpers.process import free_port, until
from tests.helpers.rows import rows
from tests.helpers.town import POLICY, Phone, Town, Under

QUESTION = "Where is order A-1001?"
PHONE = "+15550002222"  # Ana's
ON_HER_PHONE = POLICY.replace('slack = "U0ANA"', f'slack = "U0ANA"\nsms = "{PHONE}"').replace(
    'ask = ["slack:C0OPS"]', 'ask = ["sms:ana", "slack:C0OPS"]'
)


async def gateway(town: Town, *words: str, code: int = 0) -> str:
    return await says(town.settings.database_url, *words, code=code)


async def test_a_text_given_up_while_the_agent_was_away_is_replayed_and_answered_with_its_age(
    database_url: str, tmp_path: Path, clock: Clock
) -> None:
    port = free_port()
    town = Town(database_url, tmp_path, clock)
    town.with_agent_at(f"http://127.0.0.1:{port}/v1")
    await town.open()
    await town.alice.texts(QUESTION)
    await _inbox(town, "attempts", 1)
    clock.passes(timedelta(hours=25))
    await _inbox(town, "status", "dead")

    assert "in-1" in await gateway(town, "dead", "list")
    (listed,) = json.loads(await gateway(town, "dead", "list", "--json"))
    assert (listed["id"], listed["channel"], listed["kind"]) == ("in-1", "sms", "message")
    assert QUESTION in await gateway(town, "dead", "show", "in-1")
    told = len(town.alice.got())

    async with _agent(tmp_path, port):
        assert "in-1 goes on as in-2" in await gateway(town, "dead", "replay", "--all")
        answer = (await town.alice.gets(told + 1))[-1]
        assert "A-1001" in answer
        assert "(This answers your message of" in answer
        assert await gateway(town, "dead", "list") == "there are no dead letters\n"
        again = await gateway(town, "dead", "replay", "in-1", code=1)
        assert "in-1 is no dead letter: it is replayed" in again
        fate = await gateway(town, "conversations", "show", "1")
        await town.close()

    assert "in-1" in fate
    assert "replayed" in fate
    assert "in-2" in fate
    assert "A-1001" not in fate


async def test_a_text_the_carrier_refused_goes_out_when_operations_say_so(town: Town) -> None:
    town.sandbox.text_fault("failed")
    await town.alice.texts(QUESTION)
    await _outbox(town, "failed")
    letter = json.loads(await gateway(town, "dead", "list", "--json"))[0]["id"]
    assert "30007: it was filtered as spam" in await gateway(town, "dead", "list")
    told = len(town.alice.got())

    assert f"{letter} is queued again" in await gateway(town, "dead", "replay", letter)

    await town.alice.gets(told + 1)
    assert f"{letter} is no dead letter" in await gateway(town, "dead", "replay", letter, code=1)
    assert "dead_replayed" in [row["what"] for row in await rows(town.store, "audit")]


async def test_a_request_to_who_wants_no_texts_goes_out_once_they_start_and_operations_say_so(under: Under) -> None:
    async with under(ON_HER_PHONE) as town:
        letter = await _refused(town)
        assert "wants no messages" in await gateway(town, "dead", "list")

        assert "wants no messages" in await gateway(town, "dead", "replay", letter, code=1)
        await town.sandbox.text(PHONE, "START")
        assert f"{letter} is queued again" in await gateway(town, "dead", "replay", letter)

        await Phone(town, PHONE).is_asked()
        assert f"{letter} is no dead letter" in await gateway(town, "dead", "replay", letter, code=1)
        assert "dead_replayed" in [row["what"] for row in await rows(town.store, "audit")]


async def test_a_request_that_is_settled_is_not_shown_again(under: Under) -> None:
    async with under(POLICY.replace('ask = ["slack:C0OPS"]', 'ask = ["slack:C0GONE"]')) as town:
        await town.alice.texts("Please refund order A-1001, $40.")
        await town.alice.gets(2)
        (letter,) = json.loads(await gateway(town, "dead", "list", "--json"))
        assert letter["kind"] == "ask"

        refused = await gateway(town, "dead", "replay", letter["id"], code=1)

        assert "on a request that is expired" in refused
        assert "issue_refund" in await gateway(town, "dead", "show", letter["id"])
        assert f"{letter['id']} is dropped" in await gateway(town, "dead", "drop", letter["id"])
        assert await gateway(town, "dead", "replay", "--all") == "there are no dead letters\n"


async def test_of_several_letters_each_is_told_and_one_that_cannot_be_fails_the_command(town: Town) -> None:
    town.sandbox.text_fault("failed")
    await town.alice.texts(QUESTION)
    await _outbox(town, "failed")
    (letter,) = json.loads(await gateway(town, "dead", "list", "--json"))

    said = await gateway(town, "dead", "drop", "in-404", letter["id"], "out-404", code=1)

    assert "there is no in-404" in said
    assert f"{letter['id']} is dropped" in said
    assert "there is no out-404" in said


async def test_the_fate_of_a_refund_is_one_timeline(town: Town) -> None:
    await town.alice.texts("Please refund order A-1001, $40.")
    await town.ana.approves(await town.card())
    await town.alice.gets(2)
    await town.card_says("The agent went on with it")

    listed = json.loads(await gateway(town, "conversations", "list", "--json"))
    fate = json.loads(await gateway(town, "conversations", "show", "1", "--json"))
    shown = await gateway(town, "conversations", "show", "1")

    assert [(one["id"], one["thread"], one["state"]) for one in listed] == [(1, town.alice.number, "ready")]
    assert [one["kind"] for one in fate["steps"] if one["what"] == "event"] == ["message", "decision"]
    (turn,) = [one for one in fate["steps"] if one["what"] == "turn"]
    assert (turn["state"], turn["event"]) == ("done", "in-1")
    (asked,) = [one for one in fate["steps"] if one["what"] == "approval"]
    assert (asked["tool"], asked["state"], asked["by"], asked["applied"]) == ("issue_refund", "approved", "ana", True)
    sent = [one["kind"] for one in fate["steps"] if one["what"] == "message"]
    assert sorted(sent) == ["ask", "outcome", "outcome", "say", "say"]
    assert fate["steps"] == sorted(fate["steps"], key=lambda step: step["at"])
    for words in (shown, json.dumps(fate)):
        assert "$40" not in words
        assert "colleague" not in words
    assert next(line.split()[2:4] for line in shown.splitlines() if "turn-1 " in line) == ["turn", "turn-1"]


@contextlib.asynccontextmanager
async def _agent(folder: Path, port: int) -> AsyncIterator[None]:
    settings = agent_server.ServerSettings(agents_dir=AGENTS, database_url=f"sqlite:///{folder}/away.db")
    async with serving(agent_server.build(settings), bind("127.0.0.1", port)):
        yield


async def _inbox(town: Town, column: str, value: object) -> None:
    async def so() -> bool:
        return (await rows(town.store, "inbox"))[0][column] == value

    await until(so, f"{column} {value}")


async def _refused(town: Town) -> str:
    """A request to a colleague who wants no texts: its letter's id."""
    await town.sandbox.text(PHONE, "STOP")
    await town.alice.texts("Please refund order A-1001, $40.")
    await _outbox(town, "failed")
    (letter,) = json.loads(await gateway(town, "dead", "list", "--json"))
    return str(letter["id"])


async def _outbox(town: Town, status: str) -> None:
    async def so() -> bool:
        return any(row["status"] == status for row in await rows(town.store, "outbox"))

    await until(so, f"a message that is {status}")
