"""Who comes in where no key is set: the programs of this machine, and no web page that is open on it."""

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from adapters.agent.client import AgentSettings
from adapters.agent.server.app import ServerSettings
from tests.adapters.agent.wire import wired
from tests.adapters.agent.world import serving

DESK = b'{"name": "desk", "llm_client_key": {"provider": "offline", "model_id": ""}, "instructions": "Be kind."}'
AS_JSON = {"Content-Type": "application/json"}


async def posted(url: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=url, trust_env=False, verify=False) as http:
        return await http.post("/agent", content=DESK, headers={**AS_JSON, **headers})


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
async def test_a_web_page_can_open_no_socket(url: str, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(AgentSettings(url=url).socket_url, origin=origin, proxy=None):  # type: ignore[arg-type]
            pass

    assert refused.value.response.status_code == 403
    assert b"set AGENT__API_KEY" in (refused.value.response.body or b"")


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
async def test_a_web_page_can_save_no_agent(url: str, origin: str) -> None:
    answer = await posted(url, Origin=origin)

    assert answer.status_code == 403
    assert "may not come in without a key" in answer.json()["error"]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "[", ""])
async def test_a_name_that_was_made_to_lead_to_this_machine_opens_nothing(url: str, host: str) -> None:
    answer = await posted(url, Host=host)

    assert answer.status_code in {400, 403}, "the server itself refuses what is no host at all"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8765", "[::1]:8765"])
async def test_a_program_of_this_machine_comes_in_by_any_of_its_names(url: str, host: str) -> None:
    assert (await posted(url, Host=host)).status_code == 200
    assert (await posted(url, Host=host, Origin=f"http://{host}")).status_code == 409, "it is saved already"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_what_any_page_may_send_unasked_is_not_read(url: str, kind: str) -> None:
    answer = await posted(url, **{"Content-Type": kind})

    assert answer.status_code == 415
    assert "Content-Type: application/json" in answer.json()["error"]


async def test_who_has_the_key_comes_in_from_anywhere(sqlite_settings: ServerSettings) -> None:
    settings = ServerSettings.model_validate({**sqlite_settings.model_dump(), "api_key": "k1"})
    async with serving(settings) as url, wired(url, "k1") as wire:
        assert await wire.session()
        answer = await posted(url, Authorization="Bearer k1", Host="agents.example", Origin="https://tools.example")

    assert answer.status_code == 200
