"""What people do in the workspace reaches the gateway as Slack sends it."""

import httpx
import pytest
from slack_sdk.signature import Clock, SignatureVerifier
from starlette.responses import JSONResponse, Response

from adapters.sandbox import GatewayAway, NotAllowedByClient, NotInSandbox, Sandbox, cast
from tests.adapters.sandbox.conftest import SIGNING_SECRET, settings_for
from tests.adapters.sandbox.test_slack_api import MODAL, actions, button, refusal


class Frozen(Clock):
    def __init__(self, at):
        self.at = at

    def now(self):
        return self.at


def is_signed(got, at, secret=SIGNING_SECRET):
    return SignatureVerifier(secret, Frozen(at)).is_valid_request(got.body, got.headers)


@pytest.fixture
async def card(world):
    return await world.slack.chat_postMessage(
        channel=cast.OPS,
        text="Refund?",
        blocks=[{"type": "section", "block_id": "s", "text": {"type": "mrkdwn", "text": "*x*"}}, actions(button())],
    )


@pytest.fixture
async def trigger(world, card):
    await world.sandbox.click(cast.ANA, cast.OPS, card["ts"], "deny")
    return world.gateway.got[-1].payload["trigger_id"]


async def test_a_click_is_a_signed_block_action(world, card):
    response = await world.sandbox.click(cast.ANA, cast.OPS, card["ts"], "deny")

    (got,) = world.gateway.at("/slack/events")
    assert response.status_code == 200
    assert is_signed(got, world.clock())
    assert not is_signed(got, world.clock(), "other")
    assert not is_signed(got, world.clock() + 301)
    payload = got.payload
    assert payload["type"] == "block_actions"
    assert payload["user"] == {"id": cast.ANA, "username": "ana", "name": "ana", "team_id": cast.TEAM}
    assert payload["team"]["id"] == cast.TEAM
    assert payload["channel"] == {"id": cast.OPS, "name": "ops"}
    assert payload["container"]["message_ts"] == payload["message"]["ts"] == card["ts"]
    assert payload["message"]["blocks"] == card["message"]["blocks"]
    (action,) = payload["actions"]
    assert (action["type"], action["action_id"], action["value"]) == ("button", "deny", "r1")
    assert action["block_id"] == card["message"]["blocks"][1]["block_id"]


async def test_only_what_is_there_can_be_clicked(world, card):
    with pytest.raises(NotInSandbox, match="approve"):
        await world.sandbox.click(cast.ANA, cast.OPS, card["ts"], "approve")
    with pytest.raises(NotInSandbox, match="no message"):
        await world.sandbox.click(cast.ANA, cast.OPS, "1.1", "deny")
    with pytest.raises(NotInSandbox, match="U404"):
        await world.sandbox.click("U404", cast.OPS, card["ts"], "deny")


async def test_a_trigger_opens_one_modal(world, trigger):
    opened = await world.slack.views_open(trigger_id=trigger, view=MODAL)

    (modal,) = world.sandbox.state()["modals"][cast.ANA]
    assert (modal["id"], modal["private_metadata"]) == (opened["view"]["id"], "r1")
    again = world.slack.views_open(trigger_id=trigger, view=MODAL)
    assert await refusal(again) == "exchanged_trigger_id"


async def test_a_trigger_expires_after_three_seconds(world, trigger):
    world.clock.now += 3.1

    assert await refusal(world.slack.views_open(trigger_id=trigger, view=MODAL)) == "expired_trigger_id"


@pytest.mark.parametrize(
    "change",
    [
        {"title": {"type": "plain_text", "text": "x" * 25}},
        {"submit": None},
        {"private_metadata": "x" * 3001},
        {"type": "home"},
    ],
)
async def test_a_view_slack_would_refuse_is_refused(world, trigger, change):
    assert await refusal(world.slack.views_open(trigger_id=trigger, view=MODAL | change)) == "invalid_arguments"


async def test_a_submission_is_signed_and_closes_the_modal(world, trigger):
    view = (await world.slack.views_open(trigger_id=trigger, view=MODAL))["view"]
    await world.sandbox.submit(cast.ANA, view["id"], {"reason": "paid back"})

    got = world.gateway.got[-1]
    assert is_signed(got, world.clock())
    assert got.payload["type"] == "view_submission"
    assert got.payload["view"]["private_metadata"] == "r1"
    assert got.payload["view"]["callback_id"] == "deny"
    assert got.payload["view"]["state"]["values"] == {
        "why": {"reason": {"type": "plain_text_input", "value": "paid back"}}
    }
    assert world.sandbox.state()["modals"] == {}


async def test_what_the_gateway_objects_to_stays_on_the_modal(world, trigger):
    async def object_once(_):
        return JSONResponse({"response_action": "errors", "errors": {"why": "Longer, please."}})

    async def clear(_):
        return JSONResponse({"response_action": "clear"})

    view = (await world.slack.views_open(trigger_id=trigger, view=MODAL))["view"]
    world.gateway.answers["view_submission"] = object_once
    await world.sandbox.submit(cast.ANA, view["id"], {"reason": "no"})
    (modal,) = world.sandbox.state()["modals"][cast.ANA]
    assert modal["errors"] == {"why": "Longer, please."}

    world.gateway.answers["view_submission"] = clear
    await world.sandbox.submit(cast.ANA, view["id"], {"reason": "no, because"})
    assert world.sandbox.state()["modals"] == {}


@pytest.mark.parametrize("answer", [Response("", 500), Response("not json"), JSONResponse(["odd"])])
async def test_a_broken_answer_keeps_the_modal_open(world, trigger, answer):
    async def broken(_):
        return answer

    world.gateway.answers["view_submission"] = broken
    view = (await world.slack.views_open(trigger_id=trigger, view=MODAL))["view"]
    await world.sandbox.submit(cast.ANA, view["id"], {"reason": "no"})

    (modal,) = world.sandbox.state()["modals"][cast.ANA]
    assert "trouble" in modal["errors"][""]


async def test_a_submission_may_show_another_view(world, trigger):
    async def update(_):
        return JSONResponse({"response_action": "update", "view": MODAL | {"callback_id": "second"}})

    world.gateway.answers["view_submission"] = update
    view = (await world.slack.views_open(trigger_id=trigger, view=MODAL))["view"]
    await world.sandbox.submit(cast.ANA, view["id"], {"reason": "x"})

    (modal,) = world.sandbox.state()["modals"][cast.ANA]
    assert (modal["id"], modal["callback_id"]) == (view["id"], "second")


async def test_slacks_own_form_lets_no_empty_field_through(world, trigger):
    view = (await world.slack.views_open(trigger_id=trigger, view=MODAL))["view"]

    with pytest.raises(NotAllowedByClient, match="Reason"):
        await world.sandbox.submit(cast.ANA, view["id"], {})
    with pytest.raises(NotInSandbox, match="other"):
        await world.sandbox.submit(cast.ANA, view["id"], {"other": "x"})
    with pytest.raises(NotInSandbox, match=cast.MAX):
        await world.sandbox.submit(cast.MAX, view["id"], {"reason": "x"})


async def test_a_button_in_a_modal_can_be_pressed_and_a_modal_dismissed(world, trigger):
    view = MODAL | {"blocks": [actions(button("more"))], "notify_on_close": True}
    opened = (await world.slack.views_open(trigger_id=trigger, view=view))["view"]
    await world.sandbox.press(cast.ANA, opened["id"], "more")
    assert world.gateway.got[-1].payload["view"]["id"] == opened["id"]

    await world.sandbox.dismiss(cast.ANA, opened["id"])
    assert world.gateway.got[-1].payload["type"] == "view_closed"
    assert world.sandbox.state()["modals"] == {}


async def test_a_direct_message_is_a_message_event(world):
    await world.sandbox.write(cast.ANA, cast.dm_of(cast.ANA), "1 < 2 & <!channel>")

    (got,) = world.gateway.got
    event = got.payload["event"]
    assert is_signed(got, world.clock())
    assert got.payload["type"] == "event_callback"
    assert got.payload["authorizations"][0]["user_id"] == cast.BOT_USER
    assert (event["type"], event["channel_type"], event["user"]) == ("message", "im", cast.ANA)
    assert event["text"] == "1 &lt; 2 &amp; &lt;!channel&gt;"


async def test_naming_the_app_in_a_channel_is_a_mention(world):
    await world.sandbox.write(cast.MAX, cast.OPS, f"<@{cast.BOT_USER}> hello")
    (root,) = world.sandbox.state()["channels"][cast.OPS]
    await world.sandbox.write(cast.MAX, cast.OPS, "and more", thread_ts=root["ts"])

    mention, reply = (got.payload["event"] for got in world.gateway.got)
    assert (mention["type"], mention["text"]) == ("app_mention", f"<@{cast.BOT_USER}> hello")
    assert (reply["type"], reply["channel_type"], reply["thread_ts"]) == ("message", "channel", root["ts"])
    assert world.gateway.got[0].payload["event_id"] != world.gateway.got[1].payload["event_id"]


async def test_a_response_url_whispers_replaces_and_wears_out(world, card):
    await world.sandbox.click(cast.MAX, cast.OPS, card["ts"], "deny")
    url = world.gateway.got[-1].payload["response_url"]
    async with httpx.AsyncClient(trust_env=False, verify=False) as http:
        await http.post(url, json={"text": "not yours", "replace_original": False})
        await http.post(url, json={"text": "changed", "replace_original": True, "blocks": []})
        rest = [(await http.post(url, json={"text": "x"})).status_code for _ in range(4)]

    assert rest == [200, 200, 200, 404]
    state = world.sandbox.state()
    assert state["ephemerals"][cast.MAX][0]["text"] == "not yours"
    assert (state["channels"][cast.OPS][0]["text"], state["channels"][cast.OPS][0]["blocks"]) == ("changed", [])


async def test_a_response_url_ends_after_thirty_minutes(world, card):
    await world.sandbox.click(cast.MAX, cast.OPS, card["ts"], "deny")
    url = world.gateway.got[-1].payload["response_url"]
    world.clock.now += 30 * 60 + 1
    async with httpx.AsyncClient(trust_env=False, verify=False) as http:
        assert (await http.post(url, json={"text": "late"})).status_code == 404


async def test_a_button_on_a_whisper_can_be_clicked_by_its_reader(world):
    await world.slack.chat_postEphemeral(
        channel=cast.OPS, user=cast.MAX, text="sure?", blocks=[actions(button("sure"))]
    )
    whisper = world.sandbox.state()["ephemerals"][cast.MAX][0]
    with pytest.raises(NotInSandbox):
        await world.sandbox.click(cast.ANA, cast.OPS, whisper["ts"], "sure")
    await world.sandbox.click(cast.MAX, cast.OPS, whisper["ts"], "sure")

    payload = world.gateway.got[-1].payload
    assert payload["container"]["is_ephemeral"]
    assert "message" not in payload


async def test_a_gateway_that_is_away_is_named(state_path):
    sandbox = Sandbox(settings_for(state_path, "http://127.0.0.1:9"))
    try:
        with pytest.raises(GatewayAway, match=r"127\.0\.0\.1:9"):
            await sandbox.text(cast.ALICE, "hello?")
        assert sandbox.state()["phones"][cast.ALICE][0]["status"] == "failed"
        assert sandbox.state()["problem"]
    finally:
        await sandbox.aclose()
