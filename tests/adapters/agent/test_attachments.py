"""Files on the socket: what they are where nobody said so, and what is no file."""

import base64
from typing import Any

import pytest

from adapters.agent import frames
from adapters.agent.server import attachments
from tests.adapters.agent.wire import Wire


@pytest.mark.parametrize(
    ("said", "data", "meant"),
    [
        ("", b"three kites", "text/plain"),
        ("application/octet-stream", "\ufeffhöher".encode(), "text/plain"),
        ("application/octet-stream", b"%PDF-1.7\xff", "application/pdf"),
        ("", b"\x89PNG\r\n\x1a\n\x00", "image/png"),
        ("", b"\xff\xd8\xff\xe0", "image/jpeg"),
        ("", b"RIFF\x00\x00\x00\x00WEBPVP8", "image/webp"),
        ("", b"RIFF\x00\x00\x00\x00WAVEfmt", "audio/wav"),
        ("", b"\xff\x00\xff", "application/octet-stream"),
        ("", b"a\x00b", "application/octet-stream"),
        ("text/csv", b"%PDF-1.7", "text/csv"),
    ],
)
def test_what_a_file_is_is_told_by_its_bytes_only_where_nobody_said(said: str, data: bytes, meant: str) -> None:
    content = attachments.checked(frames.file_content(data, name="x", mime_type=said))

    assert content["value"]["metadata"] == {"name": "x", "mime_type": meant}
    assert base64.b64decode(content["value"]["raw_bytes"]) == data


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "a file without raw_bytes"),
        ({"metadata": {}}, "a file without raw_bytes"),
        ({"raw_bytes": 5}, "a file without raw_bytes"),
        ({"raw_bytes": "not base64!"}, "the raw_bytes of a file are not base64"),
        ({"raw_bytes": "äöü"}, "the raw_bytes of a file are not base64"),
    ],
)
async def test_a_file_without_its_bytes_is_refused_and_the_socket_stays(wire: Wire, value: Any, said: str) -> None:
    session_id = await wire.session()
    await wire.send(frames.post_messages(session_id, ["Look", {"type_string": "file", "value": value}]))

    assert (await wire.next())["error"] == said

    bare = {"raw_bytes": base64.b64encode(b"three kites").decode()}
    await wire.send(frames.post_message(session_id, {"type_string": "file", "value": bare}))
    assert "three kites" in (await wire.until("Idle"))[-2]["message"]["content"]["value"]
