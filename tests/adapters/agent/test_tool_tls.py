"""A tool calls the address it looked up, and still believes only the certificate of the host's name."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from adapters.agent.server.definitions import AgentDefinition
from adapters.agent.server.store import Store
from adapters.agent.server.tool_definitions import ToolDefinition
from adapters.agent.server.tools import Call, Toolbox, ToolFailed, ToolSettings

HOST = "shop.example"
pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates of these tests")


@dataclass
class Far:
    """A host with a certificate that nobody vouches for; keeps the names it was called by, and what it was sent."""

    port: int = 0
    names: list[str | None] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    named = ("-days", "2", "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}")
    subprocess.run([*made, *named, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


@pytest.fixture
async def far(tls: ssl.SSLContext) -> AsyncIterator[Far]:
    service = Far()
    tls.sni_callback = lambda _socket, name, _tls: service.names.append(name)

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        service.sent.append(await reader.read(1_000))
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0, ssl=tls)
    service.port = server.sockets[0].getsockname()[1]
    yield service
    server.close()
    await server.wait_closed()


async def test_a_host_whose_certificate_nobody_vouches_for_is_sent_nothing(far: Far, store: Store) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    settings = ToolSettings(secrets={"TOOL_SHOP_KEY": "k-3f9a"}, allow_loopback=True, resolve=resolve)
    http = {"url": f"https://{HOST}:{far.port}/", "hosts": [HOST], "secret": "TOOL_SHOP_KEY"}
    tool = ToolDefinition.model_validate({"name": "shop", "http": http})

    with pytest.raises(ToolFailed, match=r"could not be reached \(ConnectError\)"):
        await Toolbox(settings).run(tool, Call(store.database, AgentDefinition(name="shop"), "s1", "c1"), {})

    assert far.names == [HOST]
    assert far.sent == []
