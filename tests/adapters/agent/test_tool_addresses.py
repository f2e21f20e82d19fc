"""No tool reaches inside our own network, by whatever name."""

import pytest

from adapters.agent.server.definitions import AgentDefinition
from adapters.agent.server.store import Store
from adapters.agent.server.tool_definitions import ToolDefinition
from adapters.agent.server.tools import Call, Toolbox, ToolFailed, ToolSettings
from adapters.agent.server.tools.addresses import is_internal
from tests.helpers.far_service import FarService, served

INSIDE = (
    *("127.0.0.1", "127.8.9.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "0.0.0.0", "198.18.0.1"),
    *("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254"),
    *("224.0.0.1", "255.255.255.255", "240.0.0.1", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::a9fe:a9fe", "::127.0.0.1", "nonsense"),
)
OUTSIDE = ("8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808")


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside(address: str) -> None:
    assert is_internal(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_address_outside(address: str) -> None:
    assert not is_internal(address)


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "fd00:ec2::254"])
def test_what_tests_may_call_is_this_machine_alone(address: str) -> None:
    assert not is_internal("127.0.0.1", allow_loopback=True)
    assert is_internal(address, allow_loopback=True)


def tool(url: str, host: str) -> ToolDefinition:
    return ToolDefinition.model_validate({"name": "shop", "http": {"url": url, "hosts": [host]}})


@pytest.fixture
def call(store: Store) -> Call:
    return Call(store.database, AgentDefinition(name="shop"), "s1", "c1")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "169.254.169.254", "[::1]"]
)
async def test_it_is_refused_by_any_name(call: Call, host: str) -> None:
    with pytest.raises(ToolFailed, match="internal address"):
        await Toolbox().run(tool(f"https://{host}/", host), call, {})


async def test_a_name_with_one_address_inside_is_refused_whole(call: Call) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["8.8.8.8", "10.0.0.1"]

    with pytest.raises(ToolFailed, match=r"shop\.example is an internal address"):
        await Toolbox(ToolSettings(resolve=resolve)).run(tool("https://shop.example/", "shop.example"), call, {})


async def test_a_name_is_looked_up_once_and_that_address_is_called(call: Call) -> None:
    asked: list[tuple[str, int]] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    async with served(FarService()) as far:
        url = f"http://localhost:{far.port}/"
        with pytest.raises(ToolFailed, match="it answered 404"):
            await Toolbox(ToolSettings(resolve=resolve, allow_loopback=True)).run(tool(url, "localhost"), call, {})

        assert asked == [("localhost", far.port)]
        assert far.requests[0].headers["host"] == f"localhost:{far.port}"


async def test_the_next_address_is_called_where_the_first_takes_no_connection(call: Call) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    async with served(FarService()) as far:
        url = f"http://localhost:{far.port}/"
        with pytest.raises(ToolFailed, match="it answered 404"):
            await Toolbox(ToolSettings(resolve=resolve, allow_loopback=True)).run(tool(url, "localhost"), call, {})


async def test_a_name_nobody_knows_is_said_to_be_unknown(call: Call) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        raise OSError("no such host")

    with pytest.raises(ToolFailed, match=r"the host shop\.example is not known"):
        await Toolbox(ToolSettings(resolve=resolve)).run(tool("https://shop.example/", "shop.example"), call, {})
