"""A file is looked up, and downloaded with the token from Slack's own hosts; what goes wrong has its word."""

from typing import Any

import pytest
from starlette.responses import RedirectResponse, Response

from adapters.slack.channel import SlackChannel
from adapters.slack.files import FORBIDDEN, GONE, NO_SCOPE
from gateway.errors import FileTooLarge, GiveUp, KeyRefused, TryLater
from gateway.events import MediaRef, ThreadRef
from gateway.ports import Blob
from tests.adapters.doors import nobody_listens
from tests.adapters.slack.conftest import FakeSlack, slack_at

THREAD = ThreadRef("slack", "T0TEAM", "D0MAX:1.0")
PLAN = MediaRef(where="F1", name="plan.txt")
DATA = b"Three kites."


def knows(slack: FakeSlack, **more: Any) -> None:
    told = {"id": "F1", "name": "plan.txt", "mimetype": "text/plain", "size": len(DATA), "mode": "hosted"}
    told |= {"url_private": f"{slack.base}/files/F1", "url_private_download": f"{slack.base}/files/F1/download"}
    slack.will_answer("api/files.info", {"ok": True, "file": told | more})


def gives(slack: FakeSlack, response: Response) -> None:
    slack.will_answer("files/F1/download", response)


def text(data: bytes = DATA, kind: str = "text/plain", **more: Any) -> Response:
    return Response(data, media_type=kind, **more)


async def fetch(channel: SlackChannel, most: int = 1_000_000) -> Blob:
    return await channel.fetch(PLAN, THREAD, most=most)


async def test_a_file_is_fetched_with_the_bots_token(channel: SlackChannel, slack: FakeSlack) -> None:
    knows(slack)
    gives(slack, text())

    assert await fetch(channel) == Blob(DATA, "text/plain", "plan.txt")
    assert slack.told("api/files.info") == [{"file": "F1"}]
    assert [call.authorization for call in slack.calls] == ["Bearer xoxb-test"] * 2


@pytest.mark.parametrize(
    "url",
    [
        "https://files.example/F1",
        "http://files.slack.com/F1",
        "https://slack.com.evil.example/F1",
        "https://evilslack.com/F1",
        "https://files.slack.com@evil.example/F1",
        "https://files.slack.com:8443/F1",
        "ftp://files.slack.com/F1",
        "https://[files.slack.com/F1",
        "//files.slack.com/F1",
        "",
    ],
)
async def test_the_token_goes_to_no_host_but_slacks(channel: SlackChannel, slack: FakeSlack, url: str) -> None:
    knows(slack, url_private=url, url_private_download=url)

    with pytest.raises(GiveUp):
        await fetch(channel)
    assert [call.what for call in slack.calls] == ["api/files.info"]


async def test_a_redirect_is_not_followed(channel: SlackChannel, slack: FakeSlack) -> None:
    knows(slack)
    gives(slack, RedirectResponse(f"{slack.base}/elsewhere"))

    with pytest.raises(GiveUp, match="files:read"):
        await fetch(channel)
    assert slack.told("elsewhere") == []


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"mode": "tombstone"}, GONE),
        ({"is_deleted": True}, GONE),
        ({"mode": "hidden_by_limit"}, "over its limit"),
        ({"mode": "external"}, "outside Slack"),
        ({"is_external": True}, "outside Slack"),
    ],
)
async def test_a_file_that_is_not_there_is_not_asked_for(
    channel: SlackChannel, slack: FakeSlack, more: dict[str, Any], why: str
) -> None:
    knows(slack, **more)

    with pytest.raises(GiveUp, match=why):
        await fetch(channel)
    assert len(slack.calls) == 1


@pytest.mark.parametrize(
    ("error", "raised", "why"),
    [
        ("file_not_found", GiveUp, GONE),
        ("file_deleted", GiveUp, GONE),
        ("missing_scope", GiveUp, NO_SCOPE),
        ("something_new", GiveUp, FORBIDDEN),
        ("ratelimited", TryLater, "ratelimited"),
        ("internal_error", TryLater, "internal_error"),
        ("token_revoked", KeyRefused, "SLACK__BOT_TOKEN"),
    ],
)
async def test_what_slack_says_of_a_file_is_told(
    channel: SlackChannel, slack: FakeSlack, error: str, raised: type[Exception], why: str
) -> None:
    slack.will_answer("api/files.info", {"ok": False, "error": error})

    with pytest.raises(raised, match=why):
        await fetch(channel)


@pytest.mark.parametrize(
    ("answer", "raised", "why"),
    [
        (Response(status_code=404), GiveUp, GONE),
        (Response(status_code=403), GiveUp, FORBIDDEN),
        (Response(status_code=503), TryLater, "503"),
        (Response(status_code=429, headers={"Retry-After": "7"}), TryLater, "429"),
        (text(b"<html>Sign in</html>", "text/html"), GiveUp, NO_SCOPE),
    ],
)
async def test_what_the_download_gives_instead_is_told(
    channel: SlackChannel, slack: FakeSlack, answer: Response, raised: type[Exception], why: str
) -> None:
    knows(slack)
    gives(slack, answer)

    with pytest.raises(raised, match=why) as told:
        await fetch(channel)
    assert getattr(told.value, "retry_after", None) == (7.0 if "429" in why else None)


async def test_a_file_that_is_a_page_itself_is_no_sign_in_page(channel: SlackChannel, slack: FakeSlack) -> None:
    knows(slack, mimetype="text/html")
    gives(slack, text(kind="text/html"))

    assert (await fetch(channel)).data == DATA


@pytest.mark.parametrize("said", [len(DATA), 1, None])
async def test_no_more_than_is_wanted_is_taken(channel: SlackChannel, slack: FakeSlack, said: int | None) -> None:
    knows(slack, size=said)
    gives(slack, text())

    with pytest.raises(FileTooLarge):
        await fetch(channel, most=len(DATA) - 1)


async def test_while_slack_is_away_it_is_tried_later(channel: SlackChannel, slack: FakeSlack) -> None:
    knows(slack)
    gives(slack, Response(status_code=500))

    with pytest.raises(TryLater):
        await fetch(channel)
    async with slack_at(nobody_listens()) as nowhere:
        with pytest.raises(TryLater):
            await fetch(nowhere)
