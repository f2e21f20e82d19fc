"""The page as a person uses it: a real browser, a scripted gateway behind it."""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, async_playwright, expect
from slack_sdk.signature import SignatureVerifier
from starlette.responses import JSONResponse, Response

from adapters.sandbox import cast
from tests.adapters.sandbox.conftest import SIGNING_SECRET
from tests.adapters.sandbox.test_slack_api import MODAL, actions, button, plain
from tests.adapters.sandbox.test_verbs import Frozen

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("CI"), reason="no chromium is installed (apt-get install chromium)"
)

CONFIRM = {"title": plain("Sure?"), "text": plain("It is final."), "confirm": plain("Refund"), "deny": plain("Not yet")}
CARD = [
    {"type": "header", "text": plain("Refund $40.00?")},
    {"type": "section", "text": {"type": "mrkdwn", "text": "*Order* `A-1001` for <@U0ANA> &lt;b&gt;"}},
    actions(button("approve", "Approve", style="primary", confirm=CONFIRM), button("deny", "Deny", style="danger")),
]


@pytest.fixture
async def page(world) -> AsyncIterator[Page]:
    assert CHROMIUM is not None, "CI needs chromium"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM)
        page = await browser.new_page(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
        broken: list[str] = []
        page.on("pageerror", lambda error: broken.append(str(error)))
        await page.goto(f"{world.url}/sandbox")
        await expect(page.get_by_text("Alice has not texted yet")).to_be_visible()
        yield page
        await browser.close()
        assert broken == []


@pytest.fixture
async def card(world):
    """The gateway: asks for a reason when somebody denies, then changes the card."""
    posted = await world.slack.chat_postMessage(channel=cast.OPS, text="Refund?", blocks=CARD)

    async def on_click(payload):
        if payload["actions"][0]["action_id"] == "deny":
            await world.slack.views_open(trigger_id=payload["trigger_id"], view=MODAL)
        return Response("")

    async def on_submit(payload):
        reason = payload["view"]["state"]["values"]["why"]["reason"]["value"]
        if reason == "no":
            return JSONResponse({"response_action": "errors", "errors": {"why": "Longer, please."}})
        outcome = {"type": "section", "text": {"type": "mrkdwn", "text": f"*Denied*: {reason}"}}
        await world.slack.chat_update(channel=cast.OPS, ts=posted["ts"], text="Denied", blocks=[CARD[0], outcome])
        return Response("")

    world.gateway.answers |= {"block_actions": on_click, "view_submission": on_submit}
    return posted


async def test_a_text_shows_on_the_phone_and_reaches_the_gateway(world, page):
    await page.get_by_label("Text message").fill("<img src=x> & hello")
    await page.get_by_role("button", name="Send").first.click()

    await expect(page.get_by_role("log", name="Texts")).to_contain_text("<img src=x> & hello")
    (got,) = await world.gateway.wait_for(1, "/sms/inbound")
    assert (got.form["Body"], got.form["From"]) == ("<img src=x> & hello", cast.ALICE)


async def test_a_suggestion_is_one_click_and_bob_has_a_phone_of_his_own(world, page):
    await page.get_by_role("radio", name="Bob").check(force=True)
    await page.get_by_role("button", name="Please refund order A-1001, $40.").click()

    (got,) = await world.gateway.wait_for(1, "/sms/inbound")
    assert (got.form["Body"], got.form["From"]) == ("Please refund order A-1001, $40.", cast.BOB)


async def test_a_card_is_denied_with_a_reason(world, page, card):
    ops = page.get_by_role("log", name="Messages")
    await expect(ops).to_contain_text("Order A-1001 for @Ana <b>")
    await ops.get_by_role("button", name="Deny").click()
    modal = page.get_by_role("dialog", name="Deny")
    await modal.get_by_role("button", name="Deny").click()
    await expect(modal).to_contain_text("Please fill this in.")
    await modal.get_by_label("Reason").fill("no")
    await modal.get_by_role("button", name="Deny").click()
    await expect(modal).to_contain_text("Longer, please.")
    await modal.get_by_label("Reason").fill("paid back last week")
    await modal.get_by_role("button", name="Deny").click()

    await expect(modal).to_be_hidden()
    await expect(ops).to_contain_text("Denied: paid back last week")
    await expect(ops).to_contain_text("(edited)")
    submission = world.gateway.got[-1]
    assert submission.payload["type"] == "view_submission"
    verifier = SignatureVerifier(SIGNING_SECRET, Frozen(world.clock()))
    assert verifier.is_valid_request(submission.body, submission.headers)


async def test_everything_works_by_keyboard(world, page, card):
    await tab_to(page, "Text message")
    await page.keyboard.type("hello")
    await page.keyboard.press("Enter")
    await world.gateway.wait_for(1, "/sms/inbound")

    await tab_to(page, "Deny")
    await page.keyboard.press("Enter")
    modal = page.get_by_role("dialog", name="Deny")
    await expect(modal.get_by_label("Reason")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(modal).to_be_hidden()

    await expect(page.get_by_role("button", name="Deny")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(modal.get_by_label("Reason")).to_be_focused()
    await page.keyboard.type("paid back")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("log", name="Messages")).to_contain_text("Denied: paid back")


async def test_a_dangerous_button_asks_first(world, page, card):
    approve = page.get_by_role("button", name="Approve")
    await approve.click()
    await page.get_by_role("button", name="Not yet").click()
    await approve.click()
    await page.get_by_role("dialog", name="Sure?").get_by_role("button", name="Refund").click()

    (got,) = await world.gateway.wait_for(1, "/slack/events")
    assert got.payload["actions"][0]["action_id"] == "approve"


async def test_what_is_whispered_to_max_only_max_sees(world, page, card):
    await world.slack.chat_postEphemeral(channel=cast.OPS, user=cast.MAX, text="Not *yours* to decide.")
    ops = page.get_by_role("log", name="Messages")
    await expect(ops).not_to_contain_text("Not yours")
    await page.get_by_role("radio", name="Max").check(force=True)

    await expect(ops).to_contain_text("Only visible to you")
    await expect(ops).to_contain_text("Not yours to decide.")


async def test_a_colleague_mentions_the_app_and_answers_in_a_thread(world, page, card):
    await page.get_by_label("Message", exact=True).fill("@gatehouse hello")
    await page.keyboard.press("Enter")
    ops = page.get_by_role("log", name="Messages")
    await expect(ops).to_contain_text("@Gatehouse hello")
    await ops.get_by_role("button", name="Reply").first.click()
    await page.keyboard.type("looking at it")
    await page.keyboard.press("Enter")

    mention, reply = (got.payload["event"] for got in await world.gateway.wait_for(2, "/slack/events"))
    assert (mention["type"], mention["text"]) == ("app_mention", f"<@{cast.BOT_USER}> hello")
    assert reply["thread_ts"] == card["ts"]


async def test_somebody_lets_slack_fail_and_work_again(world, page):
    chooses = page.get_by_label("Let Slack fail")
    await chooses.select_option("token_revoked")
    await world.sandbox.until(lambda state: state["faults"])
    await chooses.select_option("")
    await world.sandbox.until(lambda state: not state["faults"])

    await chooses.select_option("expired_trigger_id")
    (one,) = await world.sandbox.until(lambda state: state["faults"])
    assert (one["method"], one["error"]) == ("views.*", "expired_trigger_id")


async def test_what_the_app_is_doing_stands_in_its_thread(world, page):
    root = await world.slack.chat_postMessage(channel=cast.OPS, text="At your service")
    where = {"channel_id": cast.OPS, "thread_ts": root["ts"]}
    await world.slack.assistant_threads_setStatus(**where, status="is looking it up")
    ops = page.get_by_role("log", name="Messages")
    await expect(ops.get_by_role("status")).to_have_text("Gatehouse is looking it up")
    await world.slack.assistant_threads_setStatus(**where, status="")

    await expect(ops.get_by_role("status")).to_have_count(0)


async def test_where_a_second_workspace_has_the_app_it_can_be_chosen(world, page):
    async def installed(route):
        answer = await route.fetch()
        state = await answer.json()
        await route.fulfill(response=answer, json=state | {"installed": dict.fromkeys(cast.TEAMS, True)})

    await page.route("**/sandbox/api/state*", installed)
    await page.reload()  # the question under way before that is answered in twenty seconds
    await world.slack.chat_postMessage(channel=cast.OPS, text="here alone")
    await page.get_by_role("radio", name="Second").check(force=True)
    ops = page.get_by_role("log", name="Messages")
    await expect(ops).not_to_contain_text("here alone")
    await page.get_by_label("Message", exact=True).fill("there alone")
    await page.keyboard.press("Enter")

    await expect(ops).to_contain_text("there alone")
    assert [post["text"] for post in world.sandbox.state()["second"]["channels"][cast.OPS]] == ["there alone"]
    (got,) = await world.gateway.wait_for(1, "/slack/events")
    assert got.payload["team_id"] == cast.SECOND


async def test_a_narrow_screen_shows_one_pane_and_says_where_news_is(world, page, card):
    await page.set_viewport_size({"width": 360, "height": 640})
    ops = page.get_by_role("log", name="Messages")
    await expect(ops).to_be_hidden()
    await world.slack.chat_postMessage(channel=cast.OPS, text="x" * 200)
    news = page.locator(".pane-switch .news")
    await expect(news).to_have_text("Workspace")
    await page.get_by_role("radio", name="Workspace").check(force=True)

    await expect(ops).to_be_visible()
    await expect(news).to_have_count(0)
    assert await page.evaluate("document.documentElement.scrollWidth") == 360


async def test_a_gateway_that_is_away_shows_and_comes_back(page):
    away = re.compile("/sandbox/api/state")
    await page.route(away, lambda route: route.abort())
    await page.reload()
    await expect(page.get_by_role("status")).to_have_text("Gateway unreachable")
    await page.unroute(away)

    await expect(page.get_by_role("status")).to_have_text("Connected")


async def test_a_refusal_of_the_gateway_is_told(world, page):
    async def refuse(_):
        return Response("", 401)

    world.gateway.answers["/sms/inbound"] = refuse
    await page.get_by_role("button", name="Where is order A-1001?").click()

    await expect(page.get_by_role("alert").filter(has_text="401")).to_be_visible()
    await expect(page.get_by_role("log", name="Texts")).to_contain_text("Not sent")


async def tab_to(page: Page, name: str) -> None:
    """Press Tab until the thing with this label or text has the focus."""
    target = page.get_by_label(name, exact=True).or_(page.get_by_role("button", name=name, exact=True)).first
    async with asyncio.timeout(20):
        while not await target.evaluate("node => node === document.activeElement"):
            await page.keyboard.press("Tab")
