"""Agents from files, brought to a platform: what is asked of it, and what is told to whoever pushes."""

import itertools
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from adapters.agent import pushing
from adapters.agent.client import AgentSettings
from adapters.agent.pushing import NotPushed, Pushed
from adapters.agent.server import definitions
from adapters.agent.server.app import ServerSettings
from adapters.agent.server.definitions import AgentDefinition
from adapters.agent.templates import TemplateReferenceError
from gateway.errors import AgentRefused, AgentUnavailable, ConfigError
from tests.adapters.agent.world import AGENTS, serving

Object = dict[str, Any]

WRITER = {
    "name": "writer",
    "agent_type": "functional",
    "provider": "openai",
    "model": "gpt-5",
    "instructions": "Write [[outputs.brief]] on [[inputs.topic]] with [[tools.search_knowledge]].",
    "inputs": [{"name": "topic"}],
    "outputs": [{"name": "brief"}],
    "tools": [{"name": "search_knowledge", "parameters": {"query": {"description": "On [[inputs.topic]]."}}}],
}


def agent(**changed: object) -> AgentDefinition:
    return AgentDefinition.model_validate({**WRITER, **changed})


class Platform:
    """A hosted platform over REST: it keeps what is saved, with words of its own, and drops what is empty."""

    def __init__(self) -> None:
        self.agents: dict[str, Object] = {}
        self.asked: list[str] = []
        self.bodies: list[Object] = []
        self.answer: Callable[[httpx.Request], httpx.Response | None] = lambda _: None
        self._ids = (f"{number:024x}" for number in itertools.count(1))

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(f"{request.method} {request.url.path.removeprefix('/v1')}")
        if request.content:
            self.bodies.append(json.loads(request.content))
        return self.answer(request) or self._answer(request)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.headers.get("authorization") != "Bearer key-1":
            return httpx.Response(401, json={"error": "who are you?"})
        match request.method, request.url.path.removeprefix("/v1").split("/")[1:]:
            case "GET", ["agent"]:
                name = request.url.params["name"]
                found = next((one for one in self.agents.values() if one["name"] == name), None)
                return httpx.Response(200, json={"object": found}) if found else httpx.Response(404, json={})
            case "POST", ["agent"]:
                new = next(self._ids)
                self._keep(new, self.bodies[-1])
                return httpx.Response(200, json={"id": new})
            case "POST", ["update", "agent", known]:
                assert self.bodies[-1].pop("branch_id") == "branch-1"
                self._keep(known, self.bodies[-1])
                return httpx.Response(200, json={})
        return httpx.Response(405, json={"message": "not here"})

    def _keep(self, known: str, body: Object) -> None:
        full = {word: value for word, value in body.items() if value not in (None, "")}
        self.agents[known] = {**full, "_id": known, "mainBranch": "branch-1", "created_at": "today", "status": "ok"}

    @property
    def only(self) -> Object:
        (one,) = self.agents.values()
        return one


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
async def http(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": "Bearer key-1"}
    transport = httpx.MockTransport(platform)
    async with httpx.AsyncClient(transport=transport, base_url="https://agents.example/v1", headers=headers) as client:
        yield client


async def pushed(http: httpx.AsyncClient, *agents: AgentDefinition) -> list[Pushed | NotPushed]:
    return [one async for one in pushing.push(agents, http)]


async def deeds(http: httpx.AsyncClient, *agents: AgentDefinition) -> list[str]:
    return [one.deed if isinstance(one, Pushed) else one.why for one in await pushed(http, *agents)]


async def test_a_new_agent_is_created_and_then_left_alone(platform: Platform, http: httpx.AsyncClient) -> None:
    assert await pushed(http, agent()) == [Pushed("writer", "created", f"{1:024x}")]
    assert await pushed(http, agent()) == [Pushed("writer", "unchanged", f"{1:024x}")]

    assert platform.asked == ["GET /agent", "POST /agent", "GET /agent"]
    (topic,), (brief,), (tool,) = (platform.only[kind] for kind in ("inputs", "outputs", "tools"))
    assert platform.only["instructions"] == (
        f"Write {{{{outputs.{brief}}}}} on {{{{inputs.{topic}}}}} with {{{{tools.{tool}}}}}."
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"instructions": "Be brief."},
        {"model": "gpt-6"},
        {"tools": []},
        {"inputs": [{"name": "topic"}, {"name": "tone"}]},
        {"tools": [{"name": "search_knowledge", "approval": "requires_approval", "parameters": {"query": {}}}]},
        {"tools": [{"name": "search_knowledge", "static": {"limit": 3}, "parameters": {"query": {}}}]},
        {"instructions": "", "tools": [{"name": "search_knowledge"}]},
        {"agent_type": "conversational", "inputs": [], "outputs": [], "memory": {"session": False}},
    ],
)
async def test_what_changed_is_sent_once(
    changed: dict[str, object], platform: Platform, http: httpx.AsyncClient
) -> None:
    rewritten = {"instructions": "Go.", **changed}
    assert await deeds(http, agent()) == ["created"]
    assert await deeds(http, agent(**rewritten)) == ["updated"]
    assert await deeds(http, agent(**rewritten)) == ["unchanged"]
    assert platform.asked.count(f"POST /update/agent/{1:024x}") == 1


async def test_a_parameter_that_was_taken_out_of_the_file_is_taken_out_there(
    platform: Platform, http: httpx.AsyncClient
) -> None:
    both = {"name": "search_knowledge", "parameters": {"query": {"description": "a"}, "limit": {"description": "b"}}}
    one = {"name": "search_knowledge", "parameters": {"query": {"description": "a"}}}

    assert await deeds(http, agent(instructions="", tools=[both])) == ["created"]
    assert await deeds(http, agent(instructions="", tools=[one])) == ["updated"]


async def test_an_agent_that_was_made_there_keeps_its_ids_and_what_no_file_says(
    platform: Platform, http: httpx.AsyncClient
) -> None:
    theirs = {
        "_id": "abc",
        "name": "writer",
        "mainBranch": "branch-1",
        "agent_type": "functional",
        "inputs": {"input_theirs": {"name": "topic", "io_type": "string"}},
        "tools": {"tool_theirs": {"id": "tool_theirs", "name": "search_knowledge"}},
        "llm_client_key": {"provider": "openai", "model_id": "gpt-5", "api_key": "their-own"},
        "enable_subagents": True,
    }
    platform.agents["abc"] = theirs

    assert await pushed(http, agent()) == [Pushed("writer", "updated", "abc")]

    assert "{{inputs.input_theirs}}" in platform.only["instructions"]
    assert "{{tools.tool_theirs}}" in platform.only["instructions"]
    assert platform.only["tools"]["tool_theirs"]["value"]["inputs"]["query"]["value"] == "On {{inputs.input_theirs}}."
    assert platform.only["llm_client_key"]["api_key"] == "their-own"
    assert platform.only["enable_subagents"] is True
    assert await deeds(http, agent()) == ["unchanged"]


async def test_a_placeholder_that_leads_nowhere_is_told_before_any_request(
    platform: Platform, http: httpx.AsyncClient
) -> None:
    with pytest.raises(TemplateReferenceError, match="agent second, instructions"):
        await pushed(http, agent(), agent(name="second", instructions="[[inputs.tpoic]]"))

    assert platform.asked == []


# --- what the platform may say -------------------------------------------------------------------------------


async def test_one_that_is_refused_does_not_keep_the_others_back(platform: Platform, http: httpx.AsyncClient) -> None:
    def answer(request: httpx.Request) -> httpx.Response | None:
        refuses = request.content and json.loads(request.content)["name"] == "writer"
        return httpx.Response(422, json={"message": "no such model"}) if refuses else None

    platform.answer = answer

    assert await pushed(http, agent(), agent(name="second")) == [
        NotPushed("writer", "the platform said: no such model (HTTP 422)"),
        Pushed("second", "created", f"{1:024x}"),
    ]


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, {"error": "", "detail": "bad tool"}, "the platform said: bad tool (HTTP 400)"),
        (409, {"errors": ["taken"]}, "the platform said: ['taken'] (HTTP 409)"),
        (500, {}, "the platform said: nothing (HTTP 500)"),
        (301, {}, "the platform said: nothing (HTTP 301)"),
        (403, {"error": "not yours"}, "the platform said: not yours (HTTP 403)"),
        (200, [], "it answered GET /agent with something that is no JSON object"),
        (200, {"objects": []}, "it answered the fetch without an agent (`object`)"),
        (200, {"object": {"name": "writer"}}, "it answered without a usable id"),
        (200, {"object": {"_id": "../x", "name": "writer"}}, "it answered without a usable id"),
    ],
)
async def test_what_the_platform_said_is_told(
    status: int, body: object, said: str, platform: Platform, http: httpx.AsyncClient
) -> None:
    platform.answer = lambda _: httpx.Response(status, json=body)

    assert await pushed(http, agent()) == [NotPushed("writer", said)]
    assert len(platform.asked) == 1


async def test_a_page_that_is_no_json_is_told(platform: Platform, http: httpx.AsyncClient) -> None:
    platform.answer = lambda _: httpx.Response(502, text="<html>" * 1000)

    assert await deeds(http, agent()) == ["the platform said: nothing (HTTP 502)"]


async def test_an_address_of_something_else_is_guessed(platform: Platform, http: httpx.AsyncClient) -> None:
    platform.answer = lambda _: httpx.Response(404, json={"detail": "Not Found"})

    assert await deeds(http, agent()) == [
        "the platform said: Not Found (HTTP 404); is https://agents.example/v1/agent the address of a platform?"
    ]


async def test_a_refused_key_stops_the_push(platform: Platform, http: httpx.AsyncClient) -> None:
    http.headers["Authorization"] = "Bearer wrong"

    with pytest.raises(AgentRefused, match=r"agent writer: .* who are you\? \(HTTP 401\); see AGENT__API_KEY"):
        await pushed(http, agent(), agent(name="second"))
    assert len(platform.asked) == 1


async def test_nobody_answering_stops_the_push(platform: Platform, http: httpx.AsyncClient) -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("away", request=request)

    platform.answer = away

    with pytest.raises(AgentUnavailable, match=r"agent writer: https://agents.example/v1/ does not answer"):
        await pushed(http, agent())


async def test_an_address_that_is_none_is_told() -> None:
    with pytest.raises(ConfigError, match="is no address"):
        async with pushing.platform(AgentSettings(url="http://[::1")):
            pass


# --- the embedded server -------------------------------------------------------------------------------------


async def test_the_embedded_server_takes_them_over_the_same_calls(settings: ServerSettings) -> None:
    key = SecretStr("key-1")
    async with (
        serving(settings.model_copy(update={"api_key": key})) as url,
        pushing.platform(AgentSettings(url=url, api_key=key)) as http,
    ):
        assert await deeds(http, agent()) == ["created"]
        assert await deeds(http, agent()) == ["unchanged"]
        assert await deeds(http, agent(instructions="On [[inputs.topic]].")) == ["updated"]
        assert await deeds(http, agent(instructions="On [[inputs.topic]].")) == ["unchanged"]


async def test_the_embedded_servers_own_files_are_changed_there_and_nowhere_else(url: str) -> None:
    async with pushing.platform(AgentSettings(url=url)) as http:
        assert await deeds(http, *definitions.load(AGENTS).values()) == ["unchanged"]
        (said,) = await deeds(http, agent(name="support"))

    assert "comes from a file of this server" in said


async def test_tools_that_the_embedded_server_cannot_run_are_told(url: str) -> None:
    away = {
        "name": "look",
        "http": {"url": "https://api.example.com/x", "hosts": ["api.example.com"], "secret": "TOOL_NO_KEY"},
    }
    async with pushing.platform(AgentSettings(url=url)) as http:
        (one,) = await pushed(http, agent(instructions="", tools=[away]))

    assert isinstance(one, Pushed)
    assert one.away == ("look",)
