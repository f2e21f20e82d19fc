"""slack_sdk's own client against the stand-in for Slack's Web API."""

import json

import httpx
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from adapters.sandbox import cast


def plain(text):
    return {"type": "plain_text", "text": text}


def button(action_id="deny", text="Deny", **more):
    return {"type": "button", "action_id": action_id, "text": plain(text), "value": "r1"} | more


def actions(*buttons):
    return {"type": "actions", "elements": list(buttons)}


EMPTY = {"type": "text", "text": ""}
MODAL = {
    "type": "modal",
    "callback_id": "deny",
    "private_metadata": "r1",
    "title": plain("Deny"),
    "submit": plain("Deny"),
    "blocks": [
        {
            "type": "input",
            "block_id": "why",
            "label": plain("Reason"),
            "element": {"type": "plain_text_input", "action_id": "reason"},
        }
    ],
}


async def refusal(call):
    with pytest.raises(SlackApiError) as caught:
        await call
    return caught.value.response["error"]


async def test_the_app_learns_who_it_is(world):
    me = await world.slack.auth_test()

    assert (me["team_id"], me["user_id"], me["bot_id"]) == (cast.TEAM, cast.BOT_USER, cast.BOT)


async def test_a_wrong_token_and_an_unknown_method_are_refused(world):
    stranger = AsyncWebClient("xoxb-other", base_url=world.slack.base_url)
    nobody = AsyncWebClient(base_url=world.slack.base_url)

    assert await refusal(stranger.auth_test()) == "invalid_auth"
    assert await refusal(nobody.auth_test()) == "not_authed"
    assert await refusal(world.slack.chat_meMessage(channel=cast.OPS, text="x")) == "unknown_method"


async def test_a_card_is_posted_changed_and_deleted(world):
    metadata = {"event_type": "approval", "event_payload": {"id": "out-1"}}
    posted = await world.slack.chat_postMessage(
        channel=cast.OPS, text="Refund?", blocks=[actions(button())], metadata=metadata
    )
    await world.slack.chat_update(channel=cast.OPS, ts=posted["ts"], text="Denied", blocks=[])

    (shown,) = world.sandbox.state()["channels"][cast.OPS]
    assert (shown["text"], shown["blocks"], shown["edited"]) == ("Denied", [], True)
    assert shown["bot"] == cast.BOT
    assert shown["metadata"] == metadata

    await world.slack.chat_delete(channel=cast.OPS, ts=posted["ts"])
    assert world.sandbox.state()["channels"][cast.OPS] == []


async def test_an_update_keeps_what_it_does_not_name(world):
    posted = await world.slack.chat_postMessage(channel=cast.OPS, text="a", blocks=[actions(button())])
    await world.slack.chat_update(channel=cast.OPS, ts=posted["ts"], text="b")

    (shown,) = world.sandbox.state()["channels"][cast.OPS]
    assert shown["text"] == "b"
    assert shown["blocks"][0]["elements"][0]["action_id"] == "deny"

    await world.slack.api_call(
        "chat.update", json={"channel": cast.OPS, "ts": posted["ts"], "blocks": [{"type": "divider"}]}
    )
    (shown,) = world.sandbox.state()["channels"][cast.OPS]
    assert (shown["text"], shown["blocks"][0]["type"]) == ("b", "divider")


async def test_a_lost_post_is_found_again_by_its_metadata(world):
    metadata = {"event_type": "approval", "event_payload": {"id": "out-1"}}
    root = await world.slack.chat_postMessage(channel=cast.OPS, text="root", metadata=metadata)
    await world.slack.chat_postMessage(channel=cast.OPS, text="reply", thread_ts=root["ts"])

    history = await world.slack.conversations_history(channel=cast.OPS, include_all_metadata=True)
    replies = await world.slack.conversations_replies(channel=cast.OPS, ts=root["ts"])

    assert [(one["text"], one["metadata"]) for one in history["messages"]] == [("root", metadata)]
    assert [one["text"] for one in replies["messages"]] == ["root", "reply"]
    assert "metadata" not in replies["messages"][0]


async def test_times_are_unique_and_grow_while_the_clock_stands_still(world):
    stamps = [(await world.slack.chat_postMessage(channel=cast.OPS, text="x"))["ts"] for _ in range(5)]

    assert sorted(set(stamps)) == stamps


@pytest.mark.parametrize(
    ("blocks", "error"),
    [
        ([{"type": "divider"}] * 51, "invalid_blocks"),
        ([actions(button(text="x" * 76))], "invalid_blocks"),
        ([actions(button(value="x" * 2001))], "invalid_blocks"),
        ([actions(button(), button())], "invalid_blocks"),
        ([{"type": "header", "text": plain("x" * 151)}], "invalid_blocks"),
        ([{"type": "section", "text": plain("x" * 3001)}], "invalid_blocks"),
        ([{"type": "section", "text": plain("")}], "invalid_blocks"),
        ([{"type": "section"}], "invalid_blocks"),
        ([{"type": "hologram"}], "invalid_blocks"),
        ([{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [EMPTY]}]}], "invalid_blocks"),
        ([{"no": "type"}], "invalid_blocks"),
        ([{"type": "section", "text": plain("x" * 2900)}] * 5, "msg_blocks_too_long"),
        ("[oops", "invalid_blocks_format"),
    ],
)
async def test_blocks_slack_would_refuse_are_refused(world, blocks, error):
    assert await refusal(world.slack.chat_postMessage(channel=cast.OPS, text="x", blocks=blocks)) == error


@pytest.mark.parametrize(
    ("method", "arguments", "error"),
    [
        ("chat_postMessage", {"channel": "C404", "text": "x"}, "channel_not_found"),
        ("chat_postMessage", {"channel": cast.OPS, "text": "x" * 40_001}, "msg_too_long"),
        ("chat_postMessage", {"channel": cast.OPS, "text": "x", "thread_ts": "1.1"}, "thread_not_found"),
        ("chat_update", {"channel": cast.OPS, "ts": "1.1", "text": "x"}, "message_not_found"),
        ("chat_postEphemeral", {"channel": cast.OPS, "user": "U404", "text": "x"}, "user_not_in_channel"),
        ("views_open", {"trigger_id": "1.2.x", "view": MODAL}, "invalid_trigger_id"),
        ("views_update", {"view_id": "V404", "view": MODAL}, "not_found"),
        ("users_info", {"user": "U404"}, "user_not_found"),
        ("usergroups_users_list", {"usergroup": "S404"}, "no_such_subteam"),
    ],
)
async def test_what_does_not_exist_is_refused_as_slack_does(world, method, arguments, error):
    assert await refusal(getattr(world.slack, method)(**arguments)) == error


async def test_a_post_without_any_content_is_refused(world):
    assert await refusal(world.slack.api_call("chat.postMessage", json={"channel": cast.OPS})) == "no_text"


async def test_the_app_cannot_change_what_a_person_wrote(world):
    await world.sandbox.write(cast.ANA, cast.OPS, "mine")
    (post,) = world.sandbox.state()["channels"][cast.OPS]

    call = world.slack.chat_update(channel=cast.OPS, ts=post["ts"], text="yours")
    assert await refusal(call) == "cant_update_message"


async def test_people_and_channels_can_be_looked_up(world):
    slack = world.slack

    assert (await slack.conversations_info(channel=cast.OPS))["channel"]["name"] == "ops"
    assert (await slack.conversations_open(users=[cast.ANA]))["channel"]["id"] == cast.dm_of(cast.ANA)
    assert cast.MAX in (await slack.conversations_members(channel=cast.OPS))["members"]
    assert (await slack.users_info(user=cast.ANA))["user"]["real_name"] == "Ana"
    assert (await slack.usergroups_users_list(usergroup="S0LEADS"))["users"] == [cast.ANA]


async def test_a_post_to_a_person_lands_in_their_direct_messages(world):
    posted = await world.slack.chat_postMessage(channel=cast.ANA, text="hello")

    assert posted["channel"] == cast.dm_of(cast.ANA)


async def test_forms_with_json_in_them_are_understood(world):
    form = {"token": "xoxb-sandbox", "channel": cast.OPS, "text": "x", "blocks": json.dumps([{"type": "divider"}])}
    async with httpx.AsyncClient(trust_env=False, verify=False) as http:
        answer = (await http.post(f"{world.slack.base_url}chat.postMessage", data=form)).json()

    assert answer["ok"]
    assert answer["message"]["blocks"][0]["type"] == "divider"


async def test_a_whisper_is_seen_by_one_person(world):
    await world.slack.chat_postEphemeral(channel=cast.OPS, user=cast.MAX, text="not yours to decide")

    whispers = world.sandbox.state()["ephemerals"]
    assert [one["text"] for one in whispers[cast.MAX]] == ["not yours to decide"]
    assert whispers[cast.ANA] == []
