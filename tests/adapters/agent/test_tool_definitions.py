"""What a definition may say of a tool, and how a mistake in it is told."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.agent.server import definitions
from adapters.agent.server.tool_definitions import Parameter, ToolDefinition
from adapters.agent.server.tool_kinds import HttpCall
from adapters.agent.server.tools import secrets_in
from gateway.errors import ConfigError

URL = "https://api.shop.example/orders/{id}?expand={expand}"
HOSTS = ["api.shop.example"]


def http(**words: Any) -> dict[str, Any]:
    return {"url": URL, "hosts": HOSTS, **words}


def tool(**words: Any) -> ToolDefinition:
    parameters = {"id": {}, "expand": {"required": False}}
    return ToolDefinition.model_validate({"name": "order", "parameters": parameters, **words})


def test_an_address_says_where_its_arguments_go() -> None:
    call = HttpCall.model_validate(http())

    assert (call.in_path, call.in_query) == ({"id"}, {"expand"})


@pytest.mark.parametrize(
    ("words", "prefix"),
    [({}, "Bearer "), ({"secret_header": "X-Key"}, ""), ({"secret_prefix": "Token "}, "Token ")],
)
def test_a_secret_is_sent_as_its_header_wants_it(words: dict[str, Any], prefix: str) -> None:
    assert HttpCall.model_validate(http(secret="TOOL_SHOP_KEY", **words)).prefix == prefix


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ({"hosts": []}, "hosts"),
        ({"hosts": ["other.example"]}, "api.shop.example is not in hosts"),
        ({"hosts": ["https://api.shop.example"]}, "is no host name"),
        ({"url": "http://api.shop.example/"}, "must begin with https"),
        ({"url": "ftp://api.shop.example/"}, "must begin with https"),
        ({"url": "https://{host}/", "hosts": ["{host}"]}, "is no host name"),
        ({"url": "https://{host}/"}, "without placeholders"),
        ({"url": "https://ann:pw@api.shop.example/"}, "without placeholders or a password"),
        ({"url": "https://api.shop.example:port/"}, "is no address"),
        ({"url": "https://api.shop.example/#x"}, "never sent"),
        ({"url": "https://api.shop.example/{id"}, "written {name}"),
        ({"url": "https://api.shop.example/{}"}, "written {name}"),
        ({"method": "TRACE"}, "method"),
        ({"headers": {"Host": "x"}}, "'Host' cannot be set"),
        ({"headers": {"X-A": "b\r\nX-C: d"}}, "'X-A' cannot be set"),
        ({"headers": {"authorization": "x"}, "secret": "TOOL_SHOP_KEY"}, "where the secret goes"),
        ({"secret": "k-3f9a"}, "secret"),
    ],
)
def test_an_address_that_cannot_be_called_is_refused(words: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        tool(http=http(**words))


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ({"parameters": {"id": {}}}, "{expand} is no parameter"),
        ({"parameters": {"id": {"required": False}, "expand": {}}}, "id is part of the path"),
        ({"function": "lookup_order"}, "has no function"),
        ({"mcp": {"url": "https://m.example/", "hosts": ["m.example"], "tool": "x"}}, "not both"),
        ({"parameters": {"id": {}, "expand": {}, "ask_for_approval": {}}}, "is a name of ours"),
    ],
)
def test_a_tool_that_does_not_fit_its_address_is_refused(words: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        tool(http=http(), **words)


def test_a_static_input_may_fill_a_place_in_the_address() -> None:
    made = tool(http=http(), static={"id": "7", "expand": "all"})

    assert made.asked_parameters == {}


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ({"approval": "auto_run"}, "requires_approval"),
        ({"approval": "let_agent_decide"}, "requires_approval"),
        ({"approval": "requires_approval", "parameters": {}}, "named question"),
        ({"approval": "requires_approval", "static": {"question": "How are you?"}}, "named question"),
    ],
)
def test_a_question_to_a_person_needs_a_person(words: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        ToolDefinition.model_validate({"name": "ask_human", "parameters": {"question": Parameter()}, **words})


def test_a_secret_that_is_written_into_the_file_is_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "shop.toml").write_text("""
[[tools]]
name = "order"
[tools.http]
url = "https://api.shop.example/"
hosts = ["api.shop.example"]
secret = "sk-live-3f9a"
""")

    with pytest.raises(ConfigError, match=r"line 7: tools\.0\.http\.secret: must be the name") as caught:
        definitions.read(tmp_path / "shop.toml")
    assert "3f9a" not in str(caught.value)


@pytest.mark.parametrize("kind", ["http", "mcp"])
@pytest.mark.parametrize(
    "variable", ["SECRET_KEY", "DATABASE_URL", "SLACK__BOT_TOKEN", "EXA_API_KEY", "MY_TOOL_KEY", "TOOL_", "tool_key"]
)
def test_a_variable_that_is_not_for_tools_is_refused(kind: str, variable: str, tmp_path: Path) -> None:
    (tmp_path / "shop.toml").write_text(f"""
[[tools]]
name = "order"
[tools.{kind}]
url = "https://api.shop.example/"
hosts = ["api.shop.example"]
{"tool = 'order'" if kind == "mcp" else "method = 'GET'"}
secret = "{variable}"
""")

    with pytest.raises(ConfigError, match=rf"shop.toml, line 8: tools\.0\.{kind}\.secret: .* set that variable"):
        definitions.read(tmp_path / "shop.toml")


def test_no_other_variable_comes_near_a_tool() -> None:
    environment = {"TOOL_SHOP_KEY": "a", "EXA_API_KEY": "b", "DATABASE_URL": "c", "MODEL__API_KEY": "d", "TOOLS": "e"}

    assert secrets_in(environment) == {"TOOL_SHOP_KEY": "a", "EXA_API_KEY": "b"}


@pytest.mark.parametrize("value", ["nan", "-inf", "1979-05-27", "[nan]"])
def test_what_no_json_holds_is_refused_as_a_static_input(value: str, tmp_path: Path) -> None:
    (tmp_path / "shop.toml").write_text(f"""
[[tools]]
name = "lookup_order"
static.limit = {value}
""")

    with pytest.raises(ConfigError, match=r"line 4: tools\.0\.static\.limit: must be what JSON can hold"):
        definitions.read(tmp_path / "shop.toml")


def test_a_word_that_is_none_is_told_with_its_line_and_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "shop.toml").write_text("""
[[tools]]
name = "order"
[tools.http]
url = "https://api.shop.example/"
hosts = ["api.shop.example"]
metod = "POST"
""")

    with pytest.raises(ConfigError, match=r"line 7: .*`metod` is not a word of this table; did you mean method"):
        definitions.read(tmp_path / "shop.toml")
