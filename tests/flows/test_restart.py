"""The process ends, politely or not, and starts again; nobody outside can tell."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.helpers.peek import count
from tests.helpers.process import Gateway, running, until
from tests.helpers.town import Town

ALICE = "+15550001111"
REFUND = "Please refund order A-1001, $40."


async def test_the_same_session_goes_on_after_a_restart(town: Town) -> None:
    await town.alice.texts("My name is Alice and I live in Boston.")
    await town.alice.gets(1)

    await town.restart()
    await town.alice.texts("What did I just tell you about myself?")

    reply = (await town.alice.gets(2))[1]
    assert "Alice" in reply
    assert "Boston" in reply


async def test_an_old_button_works_after_a_restart(town: Town) -> None:
    await town.alice.texts(REFUND)
    card = await town.card()
    await town.alice.gets(1)

    await town.restart()
    await town.ana.approves(card)

    assert "A-1001" in (await town.alice.gets(2))[1]
    await town.card_says("The agent went on with it")
    assert len(town.alice.got()) == 2


@pytest.mark.long
async def test_killed_after_the_card_is_shown_the_old_button_still_works_once(tmp_path: Path) -> None:
    async with running(Gateway(tmp_path)) as gateway:
        await _post(gateway, "text", {"number": ALICE, "body": REFUND})
        card = await until(lambda: _card(gateway), "the card")

        await gateway.kill()
        await gateway.start()
        click = {"user": "U0ANA", "channel": "C0OPS", "ts": card["ts"], "action_id": "approval_approve"}
        await _post(gateway, "click", click)

        await until(lambda: _got(gateway, 2), "the reply")
        # One more exchange: whatever was to come twice would have come before its answer.
        await _post(gateway, "text", {"number": ALICE, "body": "Where is order A-1002?"})
        got = await until(lambda: _got(gateway, 3), "the next reply")
    assert len(got) == 3
    assert "A-1001" in got[1]
    assert "A-1002" in got[2]


@pytest.mark.long
async def test_killed_in_the_middle_of_a_turn_the_customer_hears_and_the_next_text_works(tmp_path: Path) -> None:
    async with running(Gateway(tmp_path)) as gateway:
        await _post(gateway, "text", {"number": ALICE, "body": "Count slowly to 20."})
        await until(lambda: _inside_a_turn(tmp_path), "a turn under way")

        await gateway.kill()
        await gateway.start()
        await _post(gateway, "text", {"number": ALICE, "body": "Where is order A-1002?"})
        got = await until(lambda: _got(gateway, 2), "both replies")
    assert len(got) == 2
    assert "A-1002" in got[1]


@pytest.mark.long
async def test_sigterm_ends_the_process_in_time_and_leaves_the_rest_for_the_next_start(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    await gateway.start()
    await _post(gateway, "text", {"number": ALICE, "body": "Count slowly to 20."})
    await _post(gateway, "text", {"number": ALICE, "body": "Where is order A-1003?"})

    assert await gateway.stop() == 0  # within 20 s, or this raises

    await gateway.start()
    got = await until(lambda: _got(gateway, 2), "both replies")
    await gateway.stop()
    assert "A-1003" in got[1]
    assert len(got) == 2


@pytest.mark.long
async def test_a_second_process_on_the_same_database_is_refused(tmp_path: Path) -> None:
    async with running(Gateway(tmp_path)):
        second = Gateway(tmp_path)
        with pytest.raises(AssertionError, match="in use by another gateway"):
            await second.start()


async def _post(gateway: Gateway, verb: str, body: dict[str, str]) -> None:
    async with httpx.AsyncClient(headers={"X-Sandbox": "1", "Origin": gateway.url}) as client:
        response = await client.post(f"{gateway.url}/sandbox/api/{verb}", json=body)
    assert response.status_code == 200, response.text


async def _state(gateway: Gateway) -> dict[str, Any]:
    async with httpx.AsyncClient() as client:
        return (await client.get(f"{gateway.url}/sandbox/api/state")).json()  # type: ignore[no-any-return]


async def _card(gateway: Gateway) -> dict[str, Any] | None:
    return next((post for post in (await _state(gateway))["channels"]["C0OPS"] if post.get("blocks")), None)


async def _got(gateway: Gateway, count: int) -> list[str]:
    messages = (await _state(gateway))["phones"][ALICE]
    got = [one["body"] for one in messages if one["direction"] != "inbound"]
    return got if len(got) >= count else []


async def _inside_a_turn(folder: Path) -> bool:
    return count(folder / "var" / "agent.db", "SELECT count(*) FROM agent_messages") > 0
