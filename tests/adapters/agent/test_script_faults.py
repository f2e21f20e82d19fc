"""A turn of ours on lines that break, and with a platform that answers wrongly, too much or not at all."""

import asyncio
import contextlib
from http import HTTPStatus

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from adapters.agent import frames
from gateway.errors import AgentRefused, AgentUnavailable, GatewayError, LineLost, SessionGone
from gateway.events import AgentStatus, Replied
from gateway.history import Post
from gateway.listening import Asked
from gateway.redial import LONGEST_S, Redial, over_lines
from tests.adapters.agent.script import (
    ANSWERS,
    AWAITING,
    DROPS,
    HURRIED,
    IDLE,
    POST,
    PROCESSING,
    Gets,
    Step,
    asked,
    connects,
    delta,
    platform,
    posted,
    reply,
    request,
    says,
    takes,
    tells,
    user,
)
from tests.adapters.agent.world import client_of

REPLY = Replied(message_id="m-1", text="On its way.")
WORKING = connects(AgentStatus.PROCESSING)
FIVE_MB = "x" * 5_000_000
NO_NUMBER = '{"type": "message_delta", "session_id": "s1", "message_id": "m-1", "index": NaN, "value": "no"}'


# --- a line that is lost -----------------------------------------------------------------------------------


async def test_a_post_that_was_lost_on_its_way_is_posted_again() -> None:
    async with platform([*connects(), Gets("post_message"), DROPS], [*connects(), *tells(), *takes(), *ANSWERS]) as far:
        assert await posted(far) == REPLY

    assert len(far.posts()) == 2, "the platform has the first nowhere"
    assert len({frame["client_message_id"] for frame in far.got if frame["type"] == "post_message"}) == 1


async def test_a_post_that_arrived_before_the_line_was_lost_is_not_posted_again() -> None:
    lost = [*connects(), Gets("post_message"), DROPS]
    async with platform(lost, [*WORKING, *tells(user()), *ANSWERS[1:]]) as far:
        assert await posted(far) == REPLY

    assert len(far.posts()) == 1


async def test_the_same_words_of_an_earlier_turn_are_not_taken_for_this_post() -> None:
    lost = [*connects(), Gets("post_message"), DROPS]
    earlier = tells(user(), reply("an old answer", "m-0"))
    async with platform(lost, [*connects(), *earlier, *takes(), *ANSWERS]) as far:
        assert await posted(far, Post(text=POST.text, key="turn-2", alike=1, first_try=True)) == REPLY

    assert len(far.posts()) == 2


@pytest.mark.parametrize("heard", [[], [PROCESSING], [PROCESSING, delta("On"), delta(" its")]])
@pytest.mark.parametrize("then", [[*WORKING, *tells(user()), *ANSWERS[1:]], [*connects(), *tells(user(), reply())]])
async def test_a_line_lost_in_the_middle_of_the_reply_is_taken_up(heard: list[Step], then: list[Step]) -> None:
    async with platform([*connects(), *takes(), *heard, DROPS], then) as far:
        assert await posted(far) == REPLY

    assert len(far.posts()) == 1


async def test_a_line_lost_while_parked_finds_the_request_in_the_history() -> None:
    parked = connects(AgentStatus.AWAITING_APPROVAL)
    async with platform(
        [*connects(), *takes(), PROCESSING, says(request("a-1")), DROPS], [*parked, *tells(user(), request("a-1"))]
    ) as far:
        assert await posted(far) == Asked((asked("a-1"),))


async def test_a_platform_behind_several_addresses_may_have_the_reply_in_the_history_alone() -> None:
    silent = [*WORKING, *tells(user()), *tells(user()), *tells(user(), reply())]
    async with platform([*connects(), *takes(), PROCESSING, DROPS], silent) as far:
        assert await posted(far, POST, HURRIED) == REPLY


async def test_lines_are_dialled_again_ever_more_slowly() -> None:
    lost = [*connects(), *takes(), PROCESSING, DROPS]
    again = [*WORKING, *tells(user()), DROPS]
    async with platform(lost, again, again, [*WORKING, *tells(user()), *ANSWERS[1:]]) as far:
        assert await posted(far) == REPLY

    assert far.paused_s == [0.25, 0.5, 1.0]
    assert Redial(dice=lambda _, most: most).pause_s(100) == LONGEST_S
    assert all(0 <= Redial().pause_s(3) <= 2 for _ in range(100))


async def test_a_line_that_does_not_come_back_is_for_the_lane() -> None:
    lost = [*connects(), *takes(), PROCESSING, DROPS]
    async with platform(lost, *[[*WORKING, *tells(user()), DROPS] for _ in range(2)]) as far:
        with pytest.raises(AgentUnavailable):
            await posted(far, tries=2)


async def test_a_process_that_stops_dials_no_more() -> None:
    stopping = asyncio.Event()
    stopping.set()
    async with platform([*connects(), DROPS]) as far:
        with pytest.raises(LineLost):
            await over_lines(lambda: far.client.attach("s1"), lambda line, _: anext(line.events()), Redial(), stopping)


@pytest.mark.parametrize(
    ("said", "error"), [("session not found", SessionGone), ("this account is suspended", AgentRefused)]
)
async def test_what_is_for_good_is_not_dialled_again(said: str, error: type[GatewayError]) -> None:
    refused: list[Step] = [Gets("connect_session"), frames.connect_ack("s1", error=said)]
    async with platform([*connects(), *takes(), DROPS], refused) as far:
        with pytest.raises(error):
            await posted(far)

    assert len(far.paused_s) == 1


@pytest.mark.parametrize(
    ("status", "error", "dials"), [(401, AgentRefused, 2), (403, AgentRefused, 2), (404, AgentRefused, 2)]
)
async def test_a_key_that_is_refused_meanwhile_is_for_good(status: int, error: type[GatewayError], dials: int) -> None:
    came: list[Request] = []

    def only_once(socket: ServerConnection, request: Request) -> Response | None:
        came.append(request)
        return None if len(came) == 1 else socket.respond(HTTPStatus(status), "no")

    async def hangs_up(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(frames.encode(frames.connect_ack("s1")))
        await socket.ping()
        socket.transport.abort()

    async def no_pause(_: float) -> None:
        pass

    async with serve(hangs_up, "127.0.0.1", 0, process_request=only_once) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with client_of(f"http://127.0.0.1:{port}/v1") as client:
            with pytest.raises(error):
                await over_lines(
                    lambda: client.attach("s1"),
                    lambda line, _: anext(line.events()),
                    Redial(sleep=no_pause),
                    asyncio.Event(),
                )
    assert len(came) == dials


async def test_a_first_line_that_cannot_be_had_is_for_the_lane() -> None:
    async with client_of("http://127.0.0.1:1/v1") as client:
        with pytest.raises(AgentUnavailable):
            await over_lines(
                lambda: client.attach("s1"), lambda line, _: anext(line.events()), Redial(), asyncio.Event()
            )


# --- a platform that answers wrongly, too much or not at all -----------------------------------------------


@pytest.mark.parametrize(
    "garbage", ["", "{", "[]", '"x"', "null", '{"type": 7}', '{"no": "type"}', b"\xff\x00", "[" * 50_000, NO_NUMBER]
)
async def test_garbage_between_the_frames_is_passed_over(garbage: str | bytes) -> None:
    async with platform([*connects(), garbage, *takes(), garbage, PROCESSING, garbage, *ANSWERS[1:]]) as far:
        assert await posted(far) == REPLY


async def test_a_frame_of_five_megabytes_is_read() -> None:
    script = [*connects(), *takes(), PROCESSING, delta(FIVE_MB), {"type": "new", "x": FIVE_MB}, says(reply(FIVE_MB))]
    async with platform(script) as far:
        assert await posted(far) == Replied(message_id="m-1", text=FIVE_MB)


async def test_a_history_of_five_megabytes_is_read() -> None:
    async with platform(
        [*connects(), *takes(), PROCESSING, DROPS], [*connects(), *tells(user(FIVE_MB, "u-0"), user(), reply())]
    ) as far:
        assert await posted(far) == REPLY


@pytest.mark.parametrize(
    "silent", [[Gets("connect_session")], [*connects(), Gets("post_message")]], ids=["connecting", "posting"]
)
async def test_a_platform_that_never_answers_is_for_the_lane(silent: list[Step]) -> None:
    async with platform(silent, reply_within_s=0.4) as far:
        with pytest.raises(AgentUnavailable, match="in time"):
            await posted(far)


async def test_the_next_try_after_a_silence_does_not_post_what_has_arrived() -> None:
    again = Post(text=POST.text, key=POST.key, alike=0, first_try=False)
    async with platform(
        [*connects(), Gets("post_message")], [*WORKING, *tells(user()), *ANSWERS[1:]], reply_within_s=0.4
    ) as far:
        with contextlib.suppress(AgentUnavailable):
            await posted(far)
        assert await posted(far, again) == REPLY

    assert len(far.posts()) == 1


async def test_an_error_nobody_asked_for_ends_nothing() -> None:
    script = [*connects(), *takes(), PROCESSING, frames.error("slow down"), *ANSWERS[1:]]
    async with platform(script) as far:
        assert await posted(far) == REPLY


async def test_an_error_about_a_ping_is_not_about_the_post() -> None:
    about_the_ping = frames.error("unknown session", request_type="ping_session")
    acked: list[Step] = [Gets("post_message"), about_the_ping, frames.post_ack("post_message", "s1")]
    async with platform([*connects(), *acked, *ANSWERS]) as far:
        assert await posted(far) == REPLY


async def test_a_history_that_cannot_be_read_is_asked_for_once_more() -> None:
    broken: list[Step] = [Gets("get_messages"), {"type": "get_messages", "session_id": "s1", "messages": "none"}]
    async with platform(
        [*connects(), *takes(), DROPS], [*WORKING, *broken], [*WORKING, *tells(user(), reply())]
    ) as far:
        assert await posted(far) == REPLY


async def test_the_statuses_of_what_others_do_in_the_session_end_nothing() -> None:
    noise = [IDLE, AWAITING, IDLE]
    async with platform([*connects(), *takes(), *noise, *ANSWERS]) as far:
        assert await posted(far) == REPLY
