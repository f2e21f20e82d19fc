"""Files that customers send to a model of a provider: what it is shown, and that none makes a session useless."""

from collections.abc import AsyncIterator

import pytest

from adapters.agent import frames
from adapters.agent.server.app import ServerSettings
from tests.adapters.agent.modelled import on_model
from tests.adapters.agent.wire import Frame, Wire, wired
from tests.adapters.agent.world import serving
from tests.helpers.openai_stand_in import Refuses, Says, StandIn

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
async def wire(sqlite_settings: ServerSettings, endpoint: StandIn) -> AsyncIterator[Wire]:
    async with serving(on_model(sqlite_settings, endpoint)) as url, wired(url) as made:
        yield made


async def send_file(wire: Wire, session_id: str, data: bytes, mime_type: str) -> list[Frame]:
    content = frames.file_content(data, name="kite", mime_type=mime_type)
    await wire.send(frames.post_messages(session_id, ["What is it?", content]))
    return await wire.until("Idle")


def failed(seen: list[Frame]) -> str:
    contents = [frame["message"]["content"] for frame in seen if frame["type"] == "message_notification"]
    return "".join(content["error"] for content in contents if content["type"] == "error_message")


@pytest.mark.parametrize(
    ("data", "mime_type", "shown"),
    [
        (b"three kites", "text/plain", "three kites"),
        (b"a;b", "text/csv; charset=utf-8", "a;b"),
        (b'{"kites": 3}', "application/json", '{"kites": 3}'),
        (b"h\xf6her", "text/plain", "h\ufffdher"),
        (PNG, "image/png", "data:image/png;base64,iVBORw0KGgo="),
        (b"%PDF-1.7", "application/pdf", "data:application/pdf;base64,JVBERi0xLjc="),
        (b"OggS", "audio/ogg", "[kite, audio/ogg: it was sent here, but you cannot read it]"),
        (b"PK", "application/zip", "[kite, application/zip: it was sent here, but you cannot read it]"),
        (b"\0\0", "video/mp4", "[kite, video/mp4: it was sent here, but you cannot read it]"),
    ],
)
async def test_a_model_is_shown_a_file_or_told_of_it(
    data: bytes, mime_type: str, shown: str, wire: Wire, endpoint: StandIn
) -> None:
    endpoint.script = [Says(("A kite.",)), Says(("Yes.",))]
    session_id = await wire.session()

    assert failed(await send_file(wire, session_id, data, mime_type)) == ""

    assert shown in str(endpoint.asked[0]["messages"][-1])
    await wire.send(frames.post_message(session_id, "Really?"))
    assert failed(await wire.until("Idle")) == ""


async def test_a_picture_the_endpoint_refuses_is_not_sent_to_it_again(wire: Wire, endpoint: StandIn) -> None:
    endpoint.script = [Refuses(400), Says(("Hello.",))]
    session_id = await wire.session()

    assert "openai answered 400" in failed(await send_file(wire, session_id, PNG, "image/png"))
    await wire.send(frames.post_message(session_id, "Are you there?"))
    assert failed(await wire.until("Idle")) == ""

    again = str(endpoint.asked[1]["messages"])
    assert "What is it?" in again
    assert "[a file, image/png: it was sent here, but you cannot read it]" in again
    assert "base64" not in again


async def test_a_picture_is_kept_when_the_endpoint_is_only_busy(wire: Wire, endpoint: StandIn) -> None:
    endpoint.script = [Refuses(429, retry_after="0.01")] * 3 + [Says(("A kite.",))]
    session_id = await wire.session()

    assert "openai answered 429" in failed(await send_file(wire, session_id, PNG, "image/png"))
    await wire.send(frames.post_message(session_id, "Are you there?"))
    assert failed(await wire.until("Idle")) == ""

    assert "data:image/png;base64" in str(endpoint.asked[-1]["messages"])
