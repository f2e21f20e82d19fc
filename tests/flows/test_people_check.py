"""`gateway people check --send`: does a message reach each person, and does their answer reach us?"""

import asyncio
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.sandbox import cast
from adapters.slack import trial
from gateway import sentences
from tests.helpers.rows import rows
from tests.helpers.terminal import Terminal
from tests.helpers.town import POLICY, Town, Under

DIRECT = "D0U0ANA"
PEOPLE = POLICY.replace('slack = "U0ANA"', f'slack = "U0ANA"\nsms = "{cast.BOB}"')


def code_in(texts: list[str]) -> str:
    found = re.search(r"YES ([0-9]{6})", " ".join(texts))
    return found[1] if found else ""


async def answers(town: Town) -> None:
    """Ana has two addresses, and replies to the text."""
    text = (await town.bob.gets(1))[0]
    await town.bob.texts(f"yes {code_in([text])}.")


@pytest.mark.long
async def test_who_answers_is_reported_and_who_does_not_is_too(under: Under, tmp_path: Path) -> None:
    async with under(PEOPLE) as town:
        terminal = Terminal(town, tmp_path)
        asking = asyncio.create_task(terminal.runs("people", "check", "--send", "--wait", "8s", "--json", code=1))
        await answers(town)
        found = {one["address"]: one for one in json.loads(await asking)}

        assert found[f"sms:{cast.BOB}"]["answered_at"] is not None
        assert found["slack:U0ANA"]["answered_at"] is None
        assert "Thank you" in (await town.bob.gets(2))[1]
        assert await rows(town.store, "turns") == [], "the agent never sees it"
        assert [row["what"] for row in await rows(town.store, "audit")] == ["people checked"]


async def card_for_ana(town: Town) -> dict[str, Any]:
    found = await town.until(lambda: town.sandbox.state()["channels"][DIRECT], "a test card for Ana")
    return dict(found[-1])


async def test_when_all_have_answered_nobody_waits_any_longer(under: Under, tmp_path: Path) -> None:
    async with under(PEOPLE) as town:
        asking = asyncio.create_task(Terminal(town, tmp_path).runs("people", "check", "--send"))
        await answers(town)
        await town.sandbox.click(cast.ANA, DIRECT, (await card_for_ana(town))["ts"], trial.SEEN)

        said = " ".join((await asking).split())
        assert f"ana sms:{cast.BOB} 20" in said
        assert "ana slack:U0ANA 20" in said
        assert await town.ana.is_told() == sentences.SEEN["seen"]


async def test_a_test_card_has_one_button_and_no_code_and_counts_only_its_own_persons_click(
    under: Under, tmp_path: Path
) -> None:
    async with under(POLICY) as town:
        asking = asyncio.create_task(Terminal(town, tmp_path).runs("people", "check", "--send", "--wait", "6s", code=1))
        card = await card_for_ana(town)
        await town.sandbox.click(cast.MAX, DIRECT, card["ts"], trial.SEEN)

        assert await town.max.is_told() == sentences.SEEN["not_yours"]
        assert [one["action_id"] for block in card["blocks"] for one in block.get("elements", [])] == [trial.SEEN]
        assert code_in([json.dumps(card)]) == ""
        assert "ana  slack:U0ANA  -" in await asking

        town.clock.passes(timedelta(minutes=1))
        await town.sandbox.click(cast.ANA, DIRECT, card["ts"], trial.SEEN)
        assert await town.ana.is_told() == sentences.SEEN["over"]


@pytest.mark.long
async def test_somebody_elses_answer_is_no_answer(under: Under, tmp_path: Path) -> None:
    async with under(POLICY.replace('slack = "U0ANA"', f'sms = "{cast.BOB}"')) as town:
        asking = asyncio.create_task(Terminal(town, tmp_path).runs("people", "check", "--send", "--wait", "5s", code=1))
        code = code_in(await town.bob.gets(1))
        await town.alice.texts(f"YES {code}")

        assert f"ana  sms:{cast.BOB}  -" in await asking
