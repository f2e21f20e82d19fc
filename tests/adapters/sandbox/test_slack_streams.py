"""Messages that stream and what the app is doing, by Slack's rules; and faults on request. Through the real client."""

import asyncio

import httpx
import pytest
from slack_sdk.errors import SlackApiError

from adapters.sandbox import NotInSandbox, cast

DM = cast.dm_of(cast.ANA)
TO_ANA = {"recipient_user_id": cast.ANA, "recipient_team_id": cast.TEAM}


async def refusal(call):
    with pytest.raises(SlackApiError) as caught:
        await call
    return caught.value.response["error"]


async def asked(world, channel=DM):
    """Somebody has asked something: the thread of the answer."""
    return (await world.slack.chat_postMessage(channel=channel, text="?"))["ts"]


async def started(world, channel=DM, text="One ", **more):
    root = await asked(world, channel)
    return (await world.slack.chat_startStream(channel=channel, thread_ts=root, markdown_text=text, **more))["ts"]


def shown(world, channel=DM):
    return world.sandbox.state()["channels"][channel][-1]


async def test_a_message_streams_until_it_is_stopped_and_keeps_what_was_appended(world):
    ts = await started(world)
    await world.slack.chat_appendStream(channel=DM, ts=ts, markdown_text="two ")
    assert (shown(world)["text"], shown(world)["streaming"]) == ("One two ", True)

    await world.slack.chat_stopStream(channel=DM, ts=ts, markdown_text="three")

    assert shown(world)["text"] == "One two three"
    assert "streaming" not in shown(world)
    assert [block["text"] for block in shown(world)["blocks"]] == ["One two three"]
    more = world.slack.chat_appendStream(channel=DM, ts=ts, markdown_text="four")
    assert await refusal(more) == "message_not_in_streaming_state"


async def test_it_dies_after_five_minutes_even_with_traffic(world):
    ts = await started(world)
    for _ in range(5):
        world.clock.now += 60
        await world.slack.chat_appendStream(channel=DM, ts=ts, markdown_text="more ")

    world.clock.now += 1

    assert "streaming" not in shown(world)
    assert await refusal(world.slack.chat_stopStream(channel=DM, ts=ts)) == "message_not_in_streaming_state"
    await world.slack.chat_update(channel=DM, ts=ts, text="the whole")
    assert shown(world)["text"] == "the whole"


async def test_a_person_may_stop_it(world):
    ts = await started(world)

    world.sandbox.stops_stream(DM, ts)

    assert await refusal(world.slack.chat_appendStream(channel=DM, ts=ts, markdown_text="x")) == "stopped_by_user"
    with pytest.raises(NotInSandbox):
        world.sandbox.stops_stream(DM, ts)


async def test_it_cannot_be_changed_while_it_streams(world):
    ts = await started(world)

    assert await refusal(world.slack.chat_update(channel=DM, ts=ts, text="x")) == "streaming_state_conflict"


async def test_in_a_channel_slack_wants_to_know_for_whom_it_is(world):
    root = await asked(world, cast.OPS)
    opened = {"channel": cast.OPS, "thread_ts": root, "markdown_text": "x"}

    assert await refusal(world.slack.chat_startStream(**opened)) == "missing_recipient_user_id"
    alone = world.slack.chat_startStream(**opened, recipient_user_id=cast.ANA)
    assert await refusal(alone) == "missing_recipient_team_id"
    assert (await world.slack.chat_startStream(**opened, **TO_ANA))["ok"]


async def test_the_app_says_what_it_is_doing_until_it_says_something(world):
    root = await asked(world)
    doing = {"channel_id": DM, "thread_ts": root}
    await world.slack.assistant_threads_setStatus(**doing, status="is thinking")
    assert world.sandbox.state()["statuses"] == {DM: {root: "is thinking"}}

    await world.slack.chat_postMessage(channel=DM, thread_ts=root, text="Here you are")
    assert world.sandbox.state()["statuses"] == {}

    await world.slack.assistant_threads_setStatus(**doing, status="is thinking")
    await world.slack.assistant_threads_setStatus(**doing, status="")
    assert world.sandbox.state()["statuses"] == {}
    nowhere = world.slack.assistant_threads_setStatus(channel_id=DM, thread_ts="1.0", status="is thinking")
    assert await refusal(nowhere) == "invalid_thread_ts"


# --- faults on request -------------------------------------------------------------------------------------


async def test_the_next_calls_of_a_method_go_wrong_as_somebody_asked(world):
    world.sandbox.fault("chat.postMessage", "ratelimited", retry_after_s=2, times=2)
    post = {"channel": DM, "text": "hello"}

    for _ in range(2):
        with pytest.raises(SlackApiError) as caught:
            await world.slack.chat_postMessage(**post)
        assert (caught.value.response.status_code, caught.value.response.headers["Retry-After"]) == (429, "2")
    assert (await world.slack.chat_postMessage(**post))["ok"]
    assert len(world.sandbox.state()["channels"][DM]) == 1


async def test_any_error_of_any_method_can_be_asked_for_and_taken_back(world):
    world.sandbox.fault(error="token_revoked", times=9)
    assert await refusal(world.slack.auth_test()) == "token_revoked"
    assert await refusal(world.slack.chat_postMessage(channel=DM, text="x")) == "token_revoked"
    assert [one["left"] for one in world.sandbox.state()["faults"]] == [7]

    world.sandbox.forget_faults()

    assert (await world.slack.auth_test())["ok"]


async def test_an_answer_is_lost_after_the_deed_or_comes_late(world):
    world.sandbox.fault("chat.postMessage", does_it=True)
    with pytest.raises(SlackApiError):
        await world.slack.chat_postMessage(channel=DM, text="hello")
    assert [post["text"] for post in world.sandbox.state()["channels"][DM]] == ["hello"]

    world.sandbox.fault("auth.test", hangs_s=30)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await world.slack.auth_test()


async def test_a_trigger_expires_however_quick_the_app_is(world):
    world.sandbox.expire_triggers()

    assert await refusal(world.slack.views_open(trigger_id="1.2.3", view={})) == "expired_trigger_id"


async def test_faults_are_asked_for_over_the_pages_api(world):
    async with httpx.AsyncClient(base_url=f"{world.url}/sandbox/api/", headers={"X-Sandbox": "1"}) as page:
        fault = {"method": "auth.test", "error": "account_inactive", "times": 1}
        assert (await page.post("fault", json=fault)).status_code == 200
        assert (await page.post("fault", json={"times": 0})).status_code == 400

        assert await refusal(world.slack.auth_test()) == "account_inactive"
        await page.post("fault", json={})
        await page.post("forget_faults", json={})
        assert (await page.get("state")).json()["faults"] == []
        ts = await started(world)
        assert (await page.post("stop_stream", json={"channel": DM, "ts": ts})).status_code == 200
