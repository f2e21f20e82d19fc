"""The parts of a tool's definition that only some tools have: a call of an address, an MCP server, the floor. Pure."""

import json
import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, field_validator, model_validator

from adapters.agent.server.mistakes import WordWrong
from adapters.agent.server.parameters import Words

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
HOST = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$|^\[?[0-9a-f:]+\]?$"
SECRETS = "TOOL_"  # what the variables begin with whose values a definition may send somewhere
SECRET_NAME = re.compile(rf"{SECRETS}[A-Z0-9_]*[A-Z0-9]")
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
OURS = {"host", "content-length", "transfer-encoding", "connection", "accept-encoding"}
LOOPBACK = {"127.0.0.1", "localhost", "::1"}

Scalar = bool | int | float | str


class Secret(Words):
    """A value of the environment that goes into a header of every request, and nowhere else."""

    secret: str = ""
    secret_header: str = "Authorization"  # noqa: S105  its name
    secret_prefix: str | None = None  # None: "Bearer " in Authorization, nothing elsewhere

    @property
    def prefix(self) -> str:
        if self.secret_prefix is not None:
            return self.secret_prefix
        return "Bearer " if self.secret_header.lower() == "authorization" else ""


class Remote(Secret):
    """An address outside, and the only hosts a request may go to."""

    url: str
    hosts: tuple[str, ...] = Field(min_length=1)
    headers: dict[str, str] = Field(default={})

    @field_validator("secret")
    @classmethod
    def _secret_is_a_name(cls, secret: str) -> str:
        """Any other variable, such as DATABASE_URL, is not for a file to send somewhere."""
        if secret and not SECRET_NAME.fullmatch(secret):
            # What was written may be the secret itself: it is not repeated.
            said = f"must be the name of a variable of the environment that begins with {SECRETS}, such as"
            raise ValueError(f"{said} {SECRETS}SHOP_KEY: set that variable and name it here, never the secret itself")
        return secret

    @field_validator("hosts")
    @classmethod
    def _hosts_are_names(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if not re.match(HOST, host.lower()):
                raise ValueError(f"{host!r} is no host name; write it bare, such as api.example.com")
        return tuple(host.lower().strip("[]") for host in hosts)

    @model_validator(mode="after")
    def _address_is_one_of_ours(self) -> "Remote":
        parts = _split(self.url)
        host = parts.hostname or ""
        if "{" in parts.netloc or "@" in parts.netloc or not host:
            raise WordWrong("the host must be written out, without placeholders or a password", "url")
        if parts.scheme != "https" and not (parts.scheme == "http" and host in LOOPBACK):
            raise WordWrong("must begin with https://", "url")
        if parts.fragment:
            raise WordWrong("has a part after #, which is never sent", "url")
        if host not in self.hosts:
            raise WordWrong(f"{host} is not in hosts ({', '.join(self.hosts)})", "url")
        return self

    @model_validator(mode="after")
    def _headers_can_be_sent(self) -> "Remote":
        for name, value in {**self.headers, self.secret_header: self.prefix}.items():
            if not HEADER_NAME.fullmatch(name) or name.lower() in OURS or not re.fullmatch(r"[\t\x20-\x7e]*", value):
                raise WordWrong(f"the header {name!r} cannot be set", "headers")
        if self.secret and self.secret_header.lower() in {name.lower() for name in self.headers}:
            raise WordWrong(f"{self.secret_header} is where the secret goes", "headers")
        return self


class HttpCall(Remote):
    """`{name}` in the path or query of `url` is an argument; the others are the body, of a GET or DELETE the query."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"

    @model_validator(mode="after")
    def _placeholders_are_whole(self) -> "HttpCall":
        parts = _split(self.url)
        for text in (parts.path, parts.query):
            if re.search(r"[{}]", PLACEHOLDER.sub("", text)) or "" in PLACEHOLDER.findall(text):
                raise WordWrong("a placeholder is written {name}", "url")
        return self

    @property
    def in_path(self) -> frozenset[str]:
        return frozenset(PLACEHOLDER.findall(_split(self.url).path))

    @property
    def in_query(self) -> frozenset[str]:
        return frozenset(PLACEHOLDER.findall(_split(self.url).query))


class McpTool(Remote):
    """One tool of an MCP server (streamable HTTP)."""

    tool: str = Field(min_length=1)


class CatalogueTool(Words):
    """A tool of the platform's own catalogue, in its words: this server cannot run it, only keep it and pass it on.

    `more` are further words of its `value` there, as they are.
    """

    node_type: str = Field(min_length=1)
    task_name: str = ""
    more: dict[str, Any] = Field(default={})

    @model_validator(mode="after")
    def _says_nothing_twice(self) -> "CatalogueTool":
        for word in ("node_type", "task_name"):
            if word in self.more:
                raise WordWrong(f"{word} has its own place in this table", "more", word)
        if "inputs" in self.more:
            raise WordWrong("the inputs of a tool are its parameters and static", "more", "inputs")
        check_json(self.more, "more")
        return self

    @property
    def value(self) -> dict[str, Any]:
        named = {"node_type": self.node_type, "task_name": self.task_name}
        return {**{word: said for word, said in named.items() if said}, **self.more}


class Condition(Words):
    """True of a call when every test in it is."""

    argument: str
    above: float | None = None
    below: float | None = None
    equals: Scalar | None = None
    one_of: tuple[Scalar, ...] | None = None
    not_one_of: tuple[Scalar, ...] | None = None

    @model_validator(mode="after")
    def _tests_something(self) -> "Condition":
        if not self.tests:
            raise ValueError(f"says nothing about {self.argument}; add one of {', '.join(TESTS)}")
        return self

    @property
    def tests(self) -> Mapping[str, Any]:
        return {test: value for test in TESTS if (value := getattr(self, test)) is not None}

    @property
    def is_about_numbers(self) -> bool:
        return self.above is not None or self.below is not None


TESTS = ("above", "below", "equals", "one_of", "not_one_of")


def check_json(given: Mapping[str, Any], word: str) -> None:
    """TOML has dates, nan and inf, which no JSON holds. Raises `WordWrong` under `word`."""
    for name, value in given.items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise WordWrong("must be what JSON can hold: no date, no nan and no inf", word, name) from error


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise WordWrong(f"is no address: {error}", "url") from error
    return parts
