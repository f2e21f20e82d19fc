"""Files, edits and deletions in the workspace, as Slack has them."""

import base64

import httpx
import pytest

from adapters.sandbox import NotAllowedByClient, NotInSandbox, cast
from adapters.sandbox.slack_files import Upload
from tests.adapters.sandbox.conftest import BOT_TOKEN
from tests.adapters.sandbox.test_slack_api import refusal

DM = cast.dm_of(cast.MAX)
PLAN = Upload("plan.txt", b"Three kites.")


@pytest.fixture
async def http(world):
    async with httpx.AsyncClient(base_url=world.url, trust_env=False, verify=False) as client:
        yield client


def told(world):
    return world.gateway.got[-1].payload["event"]


async def test_a_message_with_a_file_tells_of_it_and_the_token_gets_it(world, http):
    await world.sandbox.write(cast.MAX, DM, "", files=[PLAN])

    (file,) = told(world)["files"]
    assert told(world)["subtype"] == "file_share"
    info = (await world.slack.files_info(file=file["id"]))["file"]
    assert (info["name"], info["mimetype"], info["size"], info["mode"]) == ("plan.txt", "text/plain", 12, "hosted")
    got = await http.get(info["url_private_download"], headers={"Authorization": f"Bearer {BOT_TOKEN}"})
    assert got.content == b"Three kites."
    (seen,) = world.sandbox.state()["channels"][DM]
    assert [one["name"] for one in seen["files"]] == ["plan.txt"]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer xoxb-other"}])
async def test_without_the_token_there_is_a_page_to_sign_in(world, http, headers):
    await world.sandbox.write(cast.MAX, DM, "", files=[PLAN])

    got = await http.get(told(world)["files"][0]["url_private"], headers=headers)

    assert (got.status_code, got.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"Three kites" not in got.content


async def test_a_file_that_was_taken_back_is_known_no_more(world):
    await world.sandbox.write(cast.MAX, DM, "", files=[PLAN])
    file = told(world)["files"][0]["id"]

    world.sandbox.delete_file(file)

    assert await refusal(world.slack.files_info(file=file)) == "file_not_found"


async def test_a_file_without_a_name_cannot_be_sent(world):
    with pytest.raises(NotAllowedByClient):
        await world.sandbox.write(cast.MAX, DM, "", files=[Upload("", b"x")])


async def test_an_edit_and_a_deletion_are_told_as_slack_tells_them(world):
    await world.sandbox.write(cast.MAX, DM, "old")
    ts = told(world)["ts"]

    await world.sandbox.edit(cast.MAX, DM, ts, "new <b>")
    edit = told(world)
    assert (edit["subtype"], edit["previous_message"]["text"], edit["message"]["text"]) == (
        "message_changed",
        "old",
        "new &lt;b&gt;",
    )
    assert edit["message"]["ts"] == ts
    assert edit["message"]["edited"]["user"] == cast.MAX
    await world.sandbox.delete(cast.MAX, DM, ts)
    assert (told(world)["subtype"], told(world)["deleted_ts"]) == ("message_deleted", ts)
    assert world.sandbox.state()["channels"][DM] == []


async def test_nobody_changes_what_somebody_else_wrote(world):
    await world.sandbox.write(cast.MAX, cast.OPS, "mine")
    ts = told(world)["ts"]

    for deed in (world.sandbox.edit(cast.ANA, cast.OPS, ts, "x"), world.sandbox.delete(cast.ANA, cast.OPS, ts)):
        with pytest.raises(NotInSandbox):
            await deed


async def test_the_page_can_do_all_three(world, http):
    async def does(deed, **more):
        body = {"user": cast.MAX, "channel": DM, **more}
        answer = await http.post(f"/sandbox/api/{deed}", json=body, headers={"X-Sandbox": "1"})
        assert answer.json() == {"ok": True}

    file = {"name": "plan.txt", "data": base64.b64encode(b"Three kites.").decode()}
    await does("write", text="look", files=[file])
    (post,) = world.sandbox.state()["channels"][DM]
    assert post["files"][0]["size"] == 12
    await does("edit", ts=post["ts"], text="look again")
    await does("delete", ts=post["ts"])

    assert world.sandbox.state()["channels"][DM] == []
