"""Web search, against a stand-in of Exa's own."""

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from adapters.agent.server.store import Store
from adapters.agent.server.tool_definitions import Parameter, ToolDefinition
from adapters.agent.server.tools import ToolSettings
from tests.helpers.far_model import Conversation, FarModel
from tests.helpers.far_service import FarService, served

KEY = "exa-3f9a-secret"


async def exa(request: Request) -> Response:
    """Answers as Exa's search does: only to the key, and with as many results as were wanted."""
    if request.headers.get("x-api-key") != KEY:
        return JSONResponse({"error": "Invalid API key", "tag": "INVALID_API_KEY"}, 401)
    wanted = json.loads(await request.body())
    results = [
        {
            "id": f"https://kites.example/{n}",
            "title": f"Kites {n}",
            "url": f"https://kites.example/{n}",
            "text": "x" * 5_000,
        }
        for n in range(wanted["numResults"])
    ]
    return JSONResponse({"requestId": "r1", "searchType": "auto", "results": results, "costDollars": {"total": 0.005}})


@pytest.fixture
async def far() -> AsyncIterator[FarService]:
    async with served(FarService({"/search": exa})) as service:
        yield service


def settings(far: FarService, key: str = KEY) -> ToolSettings:
    secrets = {"EXA_API_KEY": key} if key else {}
    return ToolSettings(secrets=secrets, exa_url=f"{far.url}/search", allow_loopback=True)


def search(**static: Any) -> ToolDefinition:
    return ToolDefinition(name="web_search", parameters={"query": Parameter()}, static=static)


async def test_what_was_found_is_told_to_the_model_and_shown(far: FarService, store: Store) -> None:
    model = FarModel([("web_search", {"query": "kites"})])
    conversation = Conversation(store, model, search(num_results=2), settings=settings(far))

    await conversation.say("Search the web.")

    assert json.loads(far.bodies[0])["numResults"] == 2
    [result] = model.came_back
    assert [one["url"] for one in result["results"]] == ["https://kites.example/0", "https://kites.example/1"]
    assert len(result["results"][0]["text"]) == 1_000
    [shown] = conversation.searches()
    assert (shown["query"], len(shown["results"])) == ("kites", 2)


async def test_without_a_key_the_model_is_told_that_there_is_no_search(far: FarService, store: Store) -> None:
    model = FarModel([("web_search", {"query": "kites"})])
    conversation = Conversation(store, model, search(), settings=settings(far, key=""))

    await conversation.say("Search the web.")

    assert "web_search" not in model.offered
    assert "not available here: web_search" in model.instructions
    assert (far.requests, conversation.searches(), conversation.ran) == ([], [], [])


async def test_a_wrong_key_is_told_to_the_model_and_the_log_and_shown_to_neither(
    far: FarService, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    model = FarModel([("web_search", {"query": "kites"})])
    conversation = Conversation(store, model, search(), settings=settings(far, key="another"))

    await conversation.say("Search the web.")

    assert "it answered 401" in model.came_back[0]
    said = "".join(record.getMessage() for record in caplog.records if record.name.startswith("adapters"))
    assert "web_search of agent shop failed: it answered 401" in said
    assert "another" not in said + str(model.came_back)
    assert conversation.searches() == []


@pytest.mark.parametrize("answer", [JSONResponse({"results": "none"}), JSONResponse([]), Response("hello")])
async def test_an_answer_that_is_no_list_of_results_is_told(far: FarService, store: Store, answer: Response) -> None:
    far.answers["/search"] = answer
    model = FarModel([("web_search", {"query": "kites"})])

    await Conversation(store, model, search(), settings=settings(far)).say("Search the web.")

    assert "unreadable" in model.came_back[0]
