"""Long answers by text: in parts, in order, and beyond the most as a link to a page with the whole."""

import json
import logging
import re

import httpx
import pytest

from adapters.sms import segments
from config.logs import OURS
from tests.helpers.cli import says
from tests.helpers.town import Town

LONG = "My kite has a long tail. " * 45
TOO_LONG = "My **kite** has a <b>very</b> long tail. " * 80


async def page(town: Town, text: str) -> httpx.Response:
    link = re.search(r"Read on: (\S+)$", text)
    assert link
    async with httpx.AsyncClient() as browser:
        return await browser.get(link[1])


async def test_a_long_answer_comes_in_parts_in_order(town: Town) -> None:
    await town.alice.texts(LONG)

    parts = await town.alice.gets(3)
    assert [part[:6] for part in parts] == ["(1/3) ", "(2/3) ", "(3/3) "]
    assert all(segments.count(part) <= 3 for part in parts)


async def test_a_very_long_answer_is_its_beginning_and_a_link(town: Town) -> None:
    await town.alice.texts(TOO_LONG)

    text = await town.alice.reads("Read on: ")
    shown = await page(town, text)
    assert segments.count(text) <= 3
    assert "**" not in text
    assert shown.status_code == 200
    assert shown.text.count("My kite has a &lt;b&gt;very&lt;/b&gt; long tail.") == 80


async def test_what_is_handed_over_has_the_whole_and_an_erased_page_is_gone(town: Town) -> None:
    await town.alice.texts(TOO_LONG)
    text = await town.alice.reads("Read on: ")
    agent = {"AGENT_SERVER__DATABASE_URL": town.settings.agent_server.database_url}
    url, whose = town.settings.database_url, f"sms:{town.alice.number}"

    handed = json.loads(await says(url, "conversations", "export", "--person", whose, **agent))
    (went,) = [one for one in handed["conversations"][0]["messages"] if one["direction"] == "out"]
    assert went["text"].count("long tail.") == 80
    assert went["sent_as"] == text

    await says(url, "conversations", "erase", "--person", whose, "--yes", **agent)
    gone = await page(town, text)
    assert gone.status_code == 410
    assert "kite" not in gone.text


async def test_no_key_of_a_page_is_in_the_log(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    for name in OURS:
        caplog.set_level("DEBUG", logger=name)
    await town.alice.texts(TOO_LONG)
    text = await town.alice.reads("Read on: ")
    await page(town, text)

    # As config/logs.py has it: of other packages only what is a warning at least.
    ours = [one for one in caplog.records if one.name.startswith(OURS) or one.levelno >= logging.WARNING]
    lines = [one.getMessage() for one in ours]
    assert lines
    assert not any(text.rpartition("/m/")[2] in line or "long tail" in line for line in lines)
