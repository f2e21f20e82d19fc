"""What people attach to texts reaches the agent, or it is told why not. Twilio's redirect is real."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.helpers.carriers import ACCOUNT
from tests.helpers.clock import Clock
from tests.helpers.texting import Texting, texting

MESSAGES = f"/2010-04-01/Accounts/{ACCOUNT}/Messages"
KITES = ("text/plain", b"Three kites for A-1001.")


@pytest.fixture
async def phone(database_url: str, tmp_path: Path, clock: Clock) -> AsyncIterator[Texting]:
    async with texting(database_url, tmp_path, clock) as made:
        yield made


def attached(*files: tuple[str, str]) -> dict[str, str]:
    """The fields of a webhook for them: sid and kind."""
    fields = {"NumMedia": str(len(files))}
    for number, (sid, kind) in enumerate(files):
        fields[f"MediaUrl{number}"] = f"https://api.twilio.com{MESSAGES}/MM1/Media/{sid}"
        fields[f"MediaContentType{number}"] = kind
    return fields


async def posted(phone: Texting) -> str:
    (turn,) = await phone.turns(1)
    return str(turn["posted_text"])


async def test_a_file_without_a_word_starts_a_turn_whose_agent_has_it(phone: Texting) -> None:
    phone.carriers.files["ME1"] = KITES

    await phone.texts("", **attached(("ME1", "text/plain")))

    assert await phone.gets() == ["The file says: Three kites for A-1001."]
    assert (await posted(phone)).endswith("\n[attached: text.txt]")
    (first, basic), (second, nothing) = phone.carriers.downloads
    assert (first, second) == (f"{MESSAGES}/MM1/Media/ME1", "/cdn/ME1")
    assert basic.startswith("Basic ")
    assert nothing == "", "the credentials stay with Twilio's API"


async def test_words_and_several_files_are_one_message(phone: Texting) -> None:
    phone.carriers.files |= {"ME1": KITES, "ME2": ("image/jpeg", b"\xff\xd8")}

    await phone.texts("Look at these", **attached(("ME1", "text/plain"), ("ME2", "image/jpeg")))

    assert (await posted(phone)).endswith("Look at these\n[attached: text.txt]\n[attached: picture-2.jpg]")


async def test_of_files_that_cannot_be_had_the_agent_is_told_why(phone: Texting) -> None:
    phone.carriers.files |= {"ME1": KITES, "ME2": ("image/png", b"x" * 5_000_001), "ME3": ("application/zip", b"PK")}
    gone, foreign = ("ME9", "image/jpeg"), ("ME1", "video/mp4")
    fields = attached(("ME1", "text/plain"), ("ME2", "image/png"), ("ME3", "application/zip"), gone, foreign)
    fields |= {"MediaUrl4": "https://evil.example/ME1", "NumMedia": "6"}

    await phone.texts("Look", **fields)

    assert (await posted(phone)).split("\n")[1:] == [
        "Look",
        "[attached: text.txt]",
        "[attached: picture-2.png, not passed on: larger than 5 MB]",
        "[attached: application/zip, not passed on: files of its kind are not taken from texts]",
        "[attached: picture-4.jpg, not passed on: it is gone from Twilio]",
        "[attached: video-5.mp4, not passed on: it is not kept with our account at Twilio]",
        "[attached: application/octet-stream, not passed on: it is not kept with our account at Twilio]",
    ]
    assert await phone.gets() == ["The file says: Three kites for A-1001."]


async def test_a_text_with_nothing_in_it_is_answered(phone: Texting) -> None:
    await phone.texts("")

    assert len(await phone.gets()) == 1
