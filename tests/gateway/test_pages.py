"""A reply that is too long to be sent: its beginning and a link go out, and the link leads to the whole for a week."""

import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, strategies as st
from starlette.applications import Starlette

from gateway import codes
from gateway.events import Say, ThreadRef
from gateway.outbox import Outbox
from gateway.pages import Pages
from gateway.store import Store, sendings
from gateway.store.erasing import NOTHING
from gateway.web.pages import route
from tests.helpers.clock import Clock
from tests.helpers.office import ALICE, Carrier, Office, Quiet
from tests.helpers.rows import rows

OLD, NEW = "an old key of the tests", "a new key of the tests"
URL = "https://gateway.acme.example"
WHOLE = "One. Two & <b>three</b>. " + "And so on, and on. " * 20


class Short(Carrier):
    """A text holds ten characters and a link."""

    def parts(self, to: ThreadRef, text: str, *, link: str = "") -> list[str]:
        return [f"{text[:4]} {link}"] if link else [text]

    def page(self, to: ThreadRef, text: str) -> str | None:
        return text if len(text) > 10 else None


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = Store(database_url)
    yield store
    await store.aclose()


@pytest.fixture
def pages(store: Store, clock: Clock) -> Pages:
    return Pages(store, (NEW, OLD), lambda: URL + "/", clock)


@pytest.fixture
def outbox(store: Store, pages: Pages, clock: Clock) -> Outbox:
    return Outbox(store, Quiet(), {"sms": Short()}, clock, alerts=[], pages=pages)


async def say(store: Store, outbox: Outbox, text: str, *, key: str = "a reply") -> list[dict[str, Any]]:
    """The messages that are queued then."""
    await store.write(lambda tx: outbox.add(tx, Say(to=ALICE, text=text), key=key))
    return [json.loads(row["payload"]) for row in await rows(store, "outbox")]


def token_in(text: str) -> str:
    found = re.search(rf"{URL}/m/(\S+)$", text)
    assert found
    return found[1]


async def get(pages: Pages, token: str, method: str = "GET") -> httpx.Response:
    transport = httpx.ASGITransport(app=Starlette(routes=[route(pages)]))
    async with httpx.AsyncClient(transport=transport, base_url=URL) as browser:
        return await browser.request(method, f"/m/{token}")


async def test_a_reply_that_fits_has_no_page(store: Store, outbox: Outbox) -> None:
    (sent,) = await say(store, outbox, "It fits.")

    assert (sent["text"], sent["whole"]) == ("It fits.", "")


async def test_a_long_one_is_its_beginning_and_a_link_to_the_whole(store: Store, outbox: Outbox, pages: Pages) -> None:
    (sent,) = await say(store, outbox, WHOLE)
    answer = await get(pages, token_in(sent["text"]))

    assert sent["text"].startswith("One.")
    assert answer.status_code == 200
    assert "One. Two &amp; &lt;b&gt;three&lt;/b&gt;. And so on" in answer.text


async def test_the_same_reply_queued_twice_is_one_with_one_page(store: Store, outbox: Outbox, clock: Clock) -> None:
    first = await say(store, outbox, WHOLE)
    clock.passes(timedelta(minutes=1))

    assert await say(store, outbox, WHOLE) == first


async def test_what_goes_out_has_the_link(store: Store, outbox: Outbox, clock: Clock) -> None:
    (sent,) = await say(store, outbox, WHOLE)
    carrier = Short()

    await Office(store, {"sms": carrier}, clock).deliver("sms:+2")

    assert carrier.arrived == [sent["text"]]


async def test_the_page_runs_nothing_loads_nothing_and_is_kept_nowhere(
    store: Store, outbox: Outbox, pages: Pages
) -> None:
    (sent,) = await say(store, outbox, "<script>alert(1)</script>" + WHOLE)
    answer = await get(pages, token_in(sent["text"]))

    assert "<script" not in answer.text
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]+'; base-uri 'none'; form-action 'none'; "
        r"frame-ancestors 'none'",
        answer.headers["content-security-policy"],
    )
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "noindex" in answer.headers["x-robots-tag"]
    assert not re.search(r"\b(src|href|on\w+)=", answer.text)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_it_can_only_be_read(store: Store, outbox: Outbox, pages: Pages, method: str) -> None:
    (sent,) = await say(store, outbox, WHOLE)
    before = await rows(store, "outbox")

    assert (await get(pages, token_in(sent["text"]), method)).status_code == 405
    await get(pages, token_in(sent["text"]))
    assert await rows(store, "outbox") == before


async def test_after_a_week_it_is_gone(store: Store, outbox: Outbox, pages: Pages, clock: Clock) -> None:
    (sent,) = await say(store, outbox, WHOLE)

    clock.passes(timedelta(days=7) - timedelta(seconds=1))
    assert (await get(pages, token_in(sent["text"]))).status_code == 200
    clock.passes(timedelta(seconds=1))
    answer = await get(pages, token_in(sent["text"]))
    assert answer.status_code == 410
    assert "not there any more" in answer.text
    assert "One." not in answer.text


async def test_when_the_words_are_emptied_the_page_is_gone(store: Store, outbox: Outbox, pages: Pages) -> None:
    (sent,) = await say(store, outbox, WHOLE)
    await store.write(lambda tx: sendings.reword(tx, 1, NOTHING))

    assert (await get(pages, token_in(sent["text"]))).status_code == 410


async def test_a_forged_link_and_an_unknown_one_get_the_same_answer(
    store: Store, outbox: Outbox, pages: Pages, clock: Clock
) -> None:
    (sent,) = await say(store, outbox, WHOLE)
    token = token_in(sent["text"])
    message, until, proof = token.split("-")
    forged = [
        "",
        "x",
        "--",
        proof,
        f"{message}-{int(until) + 9}-{proof}",
        f"{int(message) + 1}-{until}-{proof}",
        f"{message}-{until}-{proof[:-1]}",
        f"{message}-{until}-{proof.upper()}",
        f"0{token}",
        codes.page("no key of ours", 1, int(until)),
        codes.token(NEW, "ana", 1),
        "١-٢-" + proof,
        "9" * 400 + "-1-a",
        "é" * 50,
    ]

    answers = [await get(pages, one) for one in forged if one]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1


async def test_a_link_of_the_key_before_still_leads_there_and_new_ones_are_of_the_newest(
    store: Store, pages: Pages, clock: Clock
) -> None:
    before = Pages(store, (OLD,), lambda: URL, clock)
    outbox = Outbox(store, Quiet(), {"sms": Short()}, clock, alerts=[], pages=before)
    (sent,) = await say(store, outbox, WHOLE)

    assert (await get(pages, token_in(sent["text"]))).status_code == 200
    assert (await get(before, pages.link(1).rpartition("/")[2])).status_code == 404


async def test_a_link_from_before_a_backup_was_restored_leads_to_nobody_elses_words(
    store: Store, outbox: Outbox, pages: Pages, clock: Clock
) -> None:
    lost = pages.link(1).rpartition("/")[2]
    clock.passes(timedelta(hours=2))
    (sent,) = await say(store, outbox, WHOLE)

    assert (await get(pages, lost)).status_code == 410
    assert (await get(pages, token_in(sent["text"]))).status_code == 200


async def test_a_message_that_was_sent_whole_has_no_page_whatever_the_link(
    store: Store, outbox: Outbox, pages: Pages
) -> None:
    await say(store, outbox, "It fits.")

    assert (await get(pages, pages.link(1).rpartition("/")[2])).status_code == 410
    assert (await get(pages, pages.link(7).rpartition("/")[2])).status_code == 410


@given(st.text(max_size=80))
def test_whatever_is_asked_for_is_no_link_of_ours(written: str) -> None:
    assert codes.page_of(written, (NEW, OLD)) is None


@given(st.integers(1, 10**18 - 1), st.integers(1, 10**11))
def test_a_link_reads_as_what_it_was_made_of(message: int, until: int) -> None:
    written = codes.page(OLD, message, until)

    assert codes.page_of(written, (NEW, OLD)) == (message, until)
    assert re.fullmatch(r"[a-z0-9-]+", written)
