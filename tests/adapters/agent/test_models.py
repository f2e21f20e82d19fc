"""Models of a provider: which agent runs on which, and what a turn is on one.

The whole embedded server and the real client library, and a stand-in of the endpoint.
"""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from adapters.agent.server import models
from adapters.agent.server.app import ServerSettings
from adapters.agent.server.definitions import AgentDefinition
from adapters.agent.server.model_settings import ModelSettings
from gateway.events import Confirm, Delta, Deny, Replied
from tests.adapters.agent.modelled import KEY, Talking
from tests.adapters.agent.stores import refunds_made
from tests.adapters.agent.world import asked, asked_all, failure, reply, rest_of_turn, say, streamed
from tests.helpers.openai_stand_in import Calls, Says, StandIn

REFUND = Calls((("issue_refund", '{"order_id": "A-1001", "amount": 40, "reason": "torn"}'),))


# --- what it is for ----------------------------------------------------------------------------------------


async def test_the_first_word_is_shown_while_the_model_still_speaks(talking: Talking, endpoint: StandIn) -> None:
    goes_on = asyncio.Event()
    endpoint.script = [Says(("Hello", " Alice."), gate=goes_on)]

    async with talking() as line:
        await line.post("Hello", client_message_id="c1")
        events = line.events()
        while not isinstance(first := await anext(events), Delta):
            pass
        assert first.text == "Hello"
        goes_on.set()
        while not isinstance(last := await anext(events), Replied):
            pass

    assert last.text == "Hello Alice."


async def test_the_endpoint_gets_the_key_the_model_and_what_was_said_so_far(
    talking: Talking, endpoint: StandIn
) -> None:
    endpoint.script = [Says(("Hello Alice.",)), Says(("Alice.",))]

    async with talking() as line:
        await say(line, "I am Alice.")
        await say(line, "Who am I?")

    assert endpoint.keys == [KEY, KEY]
    assert endpoint.asked[0]["model"] == "kite-1"
    assert endpoint.asked[0]["stream"] is True
    assert {"lookup_order", "issue_refund"} <= {tool["function"]["name"] for tool in endpoint.asked[0]["tools"]}
    assert endpoint.told(0)[0][1].startswith("You answer the customers of a small shop")
    said = [("user", "I am Alice."), ("assistant", "Hello Alice."), ("user", "Who am I?")]
    assert [told for told in endpoint.told(1) if told[0] != "system"] == said


async def test_a_tool_runs_and_the_model_goes_on_with_its_result(talking: Talking, endpoint: StandIn) -> None:
    endpoint.script = [Calls((("lookup_order", '{"order_id": "A-1001"}'),)), Says(("It was", " delivered."))]

    async with talking() as line:
        seen = await say(line, "Where is order A-1001?")

    assert reply(seen) == streamed(seen) == "It was delivered."
    assert "a box kite" in dict(endpoint.told())["tool"]


async def test_a_refund_waits_for_a_person_and_the_model_hears_what_was_really_paid(
    talking: Talking, endpoint: StandIn, sqlite_settings: ServerSettings
) -> None:
    endpoint.script = [REFUND, Says(("Done.",))]

    async with talking() as line:
        request = asked(await say(line, "Please refund order A-1001, $40."))
        assert request.arguments == {"order_id": "A-1001", "amount": 40, "reason": "torn"}
        assert len(endpoint.asked) == 1
        await line.answer(request.message_id, Confirm(arguments={"amount": 25}))

        assert reply(await rest_of_turn(line)) == "Done."

    assert '"amount":25' in dict(endpoint.told())["tool"]
    assert await refunds_made(sqlite_settings) == 1


async def test_the_model_hears_why_a_refund_was_denied(
    talking: Talking, endpoint: StandIn, sqlite_settings: ServerSettings
) -> None:
    endpoint.script = [REFUND, Says(("I am sorry.",))]

    async with talking() as line:
        request = asked(await say(line, "Please refund order A-1001, $40."))
        await line.answer(request.message_id, Deny(reason="it was used"))
        assert reply(await rest_of_turn(line)) == "I am sorry."

    assert "it was used" in dict(endpoint.told())["tool"]
    assert await refunds_made(sqlite_settings) == 0


async def test_two_refunds_in_one_breath_are_two_requests(
    talking: Talking, endpoint: StandIn, sqlite_settings: ServerSettings
) -> None:
    endpoint.script = [
        Calls((*REFUND.calls, ("issue_refund", '{"order_id": "A-1002", "amount": 5}'))),
        Says(("Done.",)),
    ]

    async with talking() as line:
        first, second = asked_all(await say(line, "Refund both."))
        await line.answer(first.message_id, Confirm())
        await line.answer(second.message_id, Deny(reason="too late"))
        assert reply(await rest_of_turn(line)) == "Done."

    results = [text for who, text in endpoint.told() if who == "tool"]
    assert "refunded" in results[0]
    assert "too late" in results[1]
    assert await refunds_made(sqlite_settings) == 1


# --- arguments that make no sense --------------------------------------------------------------------------

NONSENSE = [
    ("lookup_order", '{"order_id', "Invalid JSON"),
    ("lookup_order", "[]", "dict"),
    ("lookup_order", '{"order_id": 5}', "order_id must be a string"),
    ("lookup_order", "{}", "order_id is missing"),
    ("lookup_order", '{"order_id": "A-1001", "ctx": "x"}', "has no argument ctx"),
    ("find_order", "{}", "Unknown tool name"),
]


@pytest.mark.parametrize(("tool", "arguments", "complaint"), NONSENSE)
async def test_a_model_may_mend_its_arguments_once(
    tool: str, arguments: str, complaint: str, talking: Talking, endpoint: StandIn
) -> None:
    mended = Calls((("lookup_order", '{"order_id": "A-1001"}'),))
    endpoint.script = [Calls(((tool, arguments),)), mended, Says(("It was delivered.",))]

    async with talking() as line:
        assert reply(await say(line, "Where is order A-1001?")) == "It was delivered."

    assert complaint in dict(endpoint.told(1))["tool"]
    assert "a box kite" in endpoint.told(2)[-1][1]


@pytest.mark.parametrize(("tool", "arguments", "complaint"), NONSENSE)
async def test_a_model_that_does_not_mend_them_fails_clearly(
    tool: str, arguments: str, complaint: str, talking: Talking, endpoint: StandIn
) -> None:
    endpoint.script = [Calls(((tool, arguments),))] * 2 + [Says(("Hello.",))]

    async with talking() as line:
        said = failure(await say(line, "Where is order A-1001?"))
        assert f"openai runs kite-1, which called {tool} wrongly, and again" in said

        assert reply(await say(line, "Hello")) == "Hello."


async def test_nobody_is_asked_to_approve_nonsense(talking: Talking, endpoint: StandIn) -> None:
    endpoint.script = [Calls((("issue_refund", '{"order_id": "A-1001", "amount": "lots"}'),)), REFUND]

    async with talking() as line:
        [request] = asked_all(await say(line, "Please refund order A-1001, $40."))

    assert request.arguments is not None
    assert request.arguments["amount"] == 40


# --- which model -------------------------------------------------------------------------------------------

HERE = ModelSettings(provider="openai", api_key=SecretStr(KEY), name="kite-1")
SET_UP = "set MODEL__PROVIDER to it, and MODEL__API_KEY"


@pytest.mark.parametrize(
    ("words", "settings", "runs_on", "why"),
    [
        ({}, ModelSettings(), "offline", "MODEL__PROVIDER is not set"),
        ({}, HERE, "openai kite-1", "MODEL__PROVIDER"),
        ({"model": "kite-2"}, HERE, "openai kite-2", "MODEL__PROVIDER"),
        ({"provider": "openai", "model": "kite-2"}, HERE, "openai kite-2", "its definition names it"),
        ({"provider": "openai", "base_url": "http://models.example/v1"}, HERE, "openai kite-1", "names it"),
        ({"provider": "offline"}, HERE, "offline", "its definition names it"),
        ({"provider": "openai"}, ModelSettings(), "offline", f"there is no key for openai here: {SET_UP}"),
        ({"provider": "google"}, HERE, "offline", "names the provider 'google'; there are offline, openai, anthropic"),
        ({"provider": "openai", "base_url": "models.example"}, HERE, "offline", "is no address: 'models.example'"),
        ({"provider": "offline", "stored_id": "agent-1"}, HERE, "openai kite-1", "MODEL__PROVIDER"),
        (
            {"provider": "openai", "base_url": "http://elsewhere.example/v1", "stored_id": "agent-1"},
            HERE,
            "offline",
            "saved over REST with a base_url that is not MODEL__BASE_URL, which gets no key",
        ),
    ],
)
def test_an_agent_runs_on_what_it_names_or_on_the_default_or_offline(
    words: dict[str, Any], settings: ModelSettings, runs_on: str, why: str
) -> None:
    standing = models.standing(AgentDefinition.model_validate({"name": "shop", **words}), settings)

    assert standing.runs_on == runs_on
    assert why in standing.why


def test_a_provider_without_its_package_says_which_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anthropic", None)  # Python's own word for a package that cannot be imported

    standing = models.standing(AgentDefinition(name="shop", provider="anthropic"), HERE)

    assert standing.runs_on == "offline"
    assert 'pip install ".[anthropic]"' in standing.why
    with pytest.raises(ValueError, match="the extra 'anthropic' is not installed"):
        ModelSettings(provider="anthropic", api_key=SecretStr(KEY), name="kite-1")


async def test_an_agent_without_a_key_answers_offline_and_the_log_says_so_once(
    talking: Talking, endpoint: StandIn, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    agents = tmp_path / "agents"
    agents.mkdir()
    (agents / "shop.toml").write_text('provider = "google"\nmodel = "kite-9"')
    (agents / "quiet.toml").write_text('provider = "offline"')

    async with talking("shop", agents) as line:
        for text in ("Hello", "Hello again"):
            assert text in reply(await say(line, text))

    told = [record.getMessage() for record in caplog.records if "offline" in record.getMessage()]
    assert told == [
        "agent shop runs offline: its definition names the provider 'google'; there are offline, openai, anthropic"
    ]
    assert endpoint.asked == []


# --- what is imported --------------------------------------------------------------------------------------

OFFLINE_TURN = """
import asyncio, sys
from adapters.agent.server.definitions import AgentDefinition
from adapters.agent.server.runtime import Runtime
async def main():
    shop = AgentDefinition(name="shop")
    runtime = Runtime()
    await runtime.prepare(shop)
    assert [event async for event in runtime.run(shop, None, None).start(["Hello"])]
asyncio.run(main())
"""


@pytest.mark.parametrize("program", [OFFLINE_TURN, "import sys, config.cli, config.running, config.settings"])
@pytest.mark.long
def test_a_providers_package_is_imported_by_nobody_who_does_not_use_it(program: str) -> None:
    program += "\nassert not {'openai', 'anthropic', 'tiktoken'} & set(sys.modules)"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr
