"""Agent definitions from files, put onto an agent platform over its REST calls; the embedded server answers the same.

What did not change is not sent again. It deletes nothing and tries nothing twice: the next push sees what is there.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

import httpx

from adapters.agent.client import AgentSettings, rest_client
from adapters.agent.server import wire
from adapters.agent.server.definitions import AgentDefinition, Io
from adapters.agent.server.tool_definitions import ToolDefinition
from gateway.errors import AgentRefused, AgentUnavailable, ConfigError, GatewayError

TIMEOUT_S = 30.0
KEPT = ("memory_config", "enable_subagents", "editable_object_types")  # set at the platform, and no words of a file
MAPS = {"tools", "inputs", "outputs"}  # in these a key that only the platform has is one that was removed here

Payload = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pushed:
    """`away`: tools the platform said it cannot run. Only the embedded server says it."""

    agent: str
    deed: Literal["created", "updated", "unchanged"]
    id: str
    away: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotPushed:
    agent: str
    why: str


class Refusal(AgentRefused):
    """One request failed, and others may not; its text is what the platform said."""


@asynccontextmanager
async def platform(settings: AgentSettings) -> AsyncIterator[httpx.AsyncClient]:
    """The REST door of a platform, for `push`. Raises `ConfigError` where the address is none."""
    try:
        client = rest_client(settings, timeout_s=TIMEOUT_S)
    except (httpx.InvalidURL, ValueError) as error:
        raise ConfigError(f"{settings.url} is no address: write one such as http://127.0.0.1:8765/v1") from error
    async with client:
        yield client


async def push(
    agents: Sequence[AgentDefinition],
    http: httpx.AsyncClient,
    payload_of: Callable[[AgentDefinition], Payload] = wire.payload,
) -> AsyncIterator[Pushed | NotPushed]:
    """One after the other; one that is refused does not keep the others back.

    Raises `TemplateReferenceError` before the first request, and `AgentUnavailable` or `AgentRefused` where it is no
    use to go on: nobody answers, or the key is refused.
    """
    for agent in agents:
        payload_of(agent)
    for agent in agents:
        try:
            yield await _push(agent, http, payload_of)
        except Refusal as error:
            yield NotPushed(agent.name, str(error))


async def _push(
    agent: AgentDefinition, http: httpx.AsyncClient, payload_of: Callable[[AgentDefinition], Payload]
) -> Pushed:
    there = await _fetched(agent.name, http)
    if there is None:
        made = await _answer(http, agent.name, "POST", "/agent", json=payload_of(agent))
        return Pushed(agent.name, "created", _id(made.get("id")), _away(made))
    its_id = _id(there.get("_id") or there.get("id"))
    wanted = _with_what_is_theirs(payload_of(with_ids_of(there, agent)), there)
    if is_in(wanted, there):
        return Pushed(agent.name, "unchanged", its_id)
    branch = {"branch_id": there["mainBranch"]} if there.get("mainBranch") else {}
    saved = await _answer(http, agent.name, "POST", f"/update/agent/{its_id}", json={**wanted, **branch})
    return Pushed(agent.name, "updated", its_id, _away(saved))


async def _fetched(name: str, http: httpx.AsyncClient) -> Mapping[str, Any] | None:
    answer = await _answer(http, name, "GET", "/agent", params={"name": name}, absent_is_none=True)
    found = answer.get("object") if answer else None
    if answer and not isinstance(found, dict):
        raise Refusal("it answered the fetch without an agent (`object`)")
    return found


def _id(given: object) -> str:
    if isinstance(given, str) and given and not set(given) & set("/?#%\\"):
        return given
    raise Refusal("it answered without a usable id")


def _away(answer: Mapping[str, Any]) -> tuple[str, ...]:
    listed = answer.get("unavailable_tools")
    return tuple(str(one) for one in listed) if isinstance(listed, list) else ()


# --- what is there, and what should be -----------------------------------------------------------------------


def with_ids_of(stored: Mapping[str, Any], agent: AgentDefinition) -> AgentDefinition:
    """The agent with the ids its inputs, outputs and tools have at the platform, by name: others may know them."""
    inputs, outputs, tools = (_ids(stored, kind) for kind in ("inputs", "outputs", "tools"))
    return agent.model_copy(
        update={
            "inputs": tuple(one.model_copy(update=_id_of(one, inputs)) for one in agent.inputs),
            "outputs": tuple(one.model_copy(update=_id_of(one, outputs)) for one in agent.outputs),
            "tools": tuple(one.model_copy(update=_id_of(one, tools)) for one in agent.tools),
        }
    )


def _id_of(one: Io | ToolDefinition, ids: Mapping[str, str]) -> Mapping[str, str]:
    return {"id": one.id or ids.get(one.name, "")}


def _ids(stored: Mapping[str, Any], kind: str) -> Mapping[str, str]:
    listed = stored.get(kind)
    items: Iterable[tuple[str, Any]] = listed.items() if isinstance(listed, dict) else ()
    return {str(one.get("name")): its_id for its_id, one in items if isinstance(one, dict)}


def _with_what_is_theirs(wanted: Payload, there: Mapping[str, Any]) -> Payload:
    """A save replaces the agent: what was set at the platform and is no word of a file goes back as it came."""
    kept = {word: there[word] for word in KEPT if word in there and word not in wanted}
    model, theirs = wanted.get("llm_client_key"), there.get("llm_client_key")
    if isinstance(model, dict) and isinstance(theirs, dict) and theirs.get("api_key"):
        kept["llm_client_key"] = {**model, "api_key": theirs["api_key"]}
    return {**wanted, **kept}


def is_in(wanted: object, there: object, *, whole: bool = False) -> bool:
    """Does the platform hold all that we want? It may hold more. `whole`: no more keys than ours."""
    if isinstance(wanted, Mapping):
        if not isinstance(there, Mapping) or (whole and set(there) - set(wanted)):
            return False
        return all(is_in(one, there.get(word), whole=word in MAPS) for word, one in wanted.items())
    if isinstance(wanted, list) and isinstance(there, list):
        return len(wanted) == len(there) and all(is_in(*pair) for pair in zip(wanted, there, strict=True))
    if wanted is None or wanted == "":
        return there is None or there == ""  # a platform may drop what is empty
    return wanted == there and isinstance(wanted, bool) == isinstance(there, bool)


# --- the wire ------------------------------------------------------------------------------------------------


async def _answer(
    http: httpx.AsyncClient,
    agent: str,
    method: str,
    path: str,
    *,
    params: Mapping[str, str] | None = None,
    json: Payload | None = None,
    absent_is_none: bool = False,
) -> Mapping[str, Any]:
    """The object that was answered; empty where there is none, if that may be. Errors as `push` tells."""
    try:
        response = await http.request(method, path, params=params, json=json)
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise AgentUnavailable(
            f"agent {agent}: {http.base_url} does not answer ({type(error).__name__}): start it with "
            "`gateway agents serve`, or set AGENT__URL to where it is"
        ) from error
    if response.status_code == 404 and absent_is_none:
        return {}
    if not response.is_success:
        raise _error(agent, response)
    answer = _read(response)
    if not isinstance(answer, dict):
        raise Refusal(f"it answered {method} {path} with something that is no JSON object")
    return answer


def _error(agent: str, response: httpx.Response) -> GatewayError:
    said = f"the platform said: {_said(response)} (HTTP {response.status_code})"
    if response.status_code == 401:
        return AgentRefused(f"agent {agent}: {said}; see AGENT__API_KEY")
    if response.status_code == 404:
        return Refusal(f"{said}; is {response.url} the address of a platform?")
    return Refusal(said)


def _said(response: httpx.Response) -> str:
    """Where the published SDK looks for it too."""
    answer = _read(response)
    words = ("error", "message", "detail", "errors")
    said = next((answer[word] for word in words if answer.get(word)), "") if isinstance(answer, dict) else ""
    return str(said)[:500] or "nothing"


def _read(response: httpx.Response) -> object:
    try:
        return response.json()
    except ValueError:
        return None
