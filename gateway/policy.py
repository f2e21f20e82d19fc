"""gateway.toml as typed values: routes, people, approval rules, alerts. Pure: text in, values out.

An unknown word is an error; a word whose feature is not built yet is refused by its name. Both name the line.
"""

import hashlib
import re
import tomllib
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from gateway.errors import ConfigError
from gateway.events import Identity, MessageReceived, ThreadRef

CHANNELS = ("slack", "sms", "email", "web", "console")
LONGEST_WAIT = timedelta(days=7)
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

NOT_BUILT_YET = {
    "remind_after",
    "escalate_after",
    "escalate_to",
    "edit",
    "destructive",
    "surfaces",
    "redact",
    "quiet_hours",
}


def duration(value: object) -> timedelta:
    """`90s`, `15m`, `24h`, `30d`."""
    if isinstance(value, timedelta):
        return value
    found = re.fullmatch(r"([0-9]{1,6})([smhd])", value) if isinstance(value, str) else None
    if not found or int(found[1]) == 0:
        raise ValueError("a time is a number and one of s, m, h, d, such as 15m or 24h")
    return timedelta(**{UNITS[found[2]]: int(found[1])})


Duration = Annotated[timedelta, BeforeValidator(duration)]


class _Words(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Route(_Words):
    """Which agent answers where. The first match wins."""

    channel: Literal["slack", "sms", "email", "web", "console", "*"]
    account: str = "*"
    agent: str = Field(min_length=1)
    session_idle: Duration = timedelta(days=30)
    turns_per_day: int | None = Field(default=None, ge=1)
    sender_turns_per_day: int | None = Field(default=None, ge=1)

    @property
    def name(self) -> str:
        """The same for the same words, for counting."""
        return f"{self.channel}/{self.account}/{self.agent}"

    def takes(self, event: MessageReceived) -> bool:
        named = self.account == event.thread.account
        return self.channel in ("*", event.thread.channel) and (named or (self.account == "*" and event.own_account))


class Person(_Words):
    """One person, whatever the surface."""

    slack: str = ""
    email: str = ""
    sms: str = ""

    def has(self, who: Identity) -> bool:
        return same_address(who, who.channel, getattr(self, who.channel, ""))


class Rule(_Words):
    """Where a gated tool's request is shown, and who may decide it."""

    ask: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()
    required: int = 1
    self_approval: bool = False
    expires_after: Duration = timedelta(hours=24)
    on_unanswered: Literal["deny", "hold", "handoff"] = "deny"
    reason: Literal["optional", "required"] = "optional"

    @model_validator(mode="before")
    @classmethod
    def built(cls, words: Any) -> Any:
        for word in words if isinstance(words, dict) else ():
            if word in NOT_BUILT_YET or str(word).startswith("max_amount_"):
                raise _NotBuilt(word, f"`{word}` is not built yet; remove it")
        return words

    @field_validator("expires_after")
    @classmethod
    def not_too_long(cls, time: timedelta) -> timedelta:
        if time > LONGEST_WAIT:
            raise ValueError("at most 7d: the agent's own patience with an open request ends after 8 days")
        return time

    @field_validator("required")
    @classmethod
    def one(cls, required: int) -> int:
        if required != 1:
            raise ValueError("only `required = 1` is built yet")
        return required

    @field_validator("on_unanswered")
    @classmethod
    def denies(cls, then: str) -> str:
        if then != "deny":
            raise ValueError(f'`on_unanswered = "{then}"` is not built yet; use "deny"')
        return then

    @field_validator("ask")
    @classmethod
    def in_slack(cls, places: tuple[str, ...]) -> tuple[str, ...]:
        return _in_slack(places)

    @field_validator("approvers")
    @classmethod
    def known_forms(cls, approvers: tuple[str, ...]) -> tuple[str, ...]:
        for approver in approvers:
            if approver == "requester" or approver.startswith("slack:group:"):
                raise ValueError(f'the approver "{approver}" is not built yet; name a person or slack:<user>')
            channel, colon, address = approver.partition(":")
            if colon and (channel not in CHANNELS or not address):
                raise ValueError(
                    f'"{approver}" is no identity; write it as slack:U0123, sms:+1555... or email:a@b.example'
                )
        return approvers


class _Approvals(_Words):
    default: Rule | None = None
    tools: dict[str, Rule] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def inherit(cls, words: Any) -> Any:
        """A tool's table changes the words it names; the rest is the default's."""
        if not isinstance(words, dict) or not isinstance(words.get("tools"), dict):
            return words
        default = words.get("default") or {}
        tools = {name: {**default, **rule} if isinstance(rule, dict) else rule for name, rule in words["tools"].items()}
        return {**words, "tools": tools}


class _Operations(_Words):
    alerts: tuple[str, ...] = ()
    late_after: Duration = timedelta(minutes=15)

    @field_validator("alerts")
    @classmethod
    def in_slack(cls, places: tuple[str, ...]) -> tuple[str, ...]:
        return _in_slack(places)


class Policy(_Words):
    """The whole file. `version` names its text."""

    version: str = ""
    routes: tuple[Route, ...] = ()
    people: dict[str, Person] = Field(default_factory=dict)
    approvals: _Approvals = Field(default_factory=_Approvals)
    operations: _Operations = Field(default_factory=_Operations)

    @model_validator(mode="after")
    def people_exist(self) -> "Policy":
        rules = [("default", self.approvals.default), *(self.approvals.tools.items())]
        for name, rule in rules:
            for approver in rule.approvers if rule else ():
                if ":" not in approver and approver not in self.people:
                    raise ValueError(f'approvals: "{approver}" (an approver of {name}) is not among [people.*]')
        return self

    def route_for(self, event: MessageReceived) -> Route | None:
        return next((route for route in self.routes if route.takes(event)), None)

    def rule_for(self, tool: str) -> Rule:
        """The tool's own rule, else the default; with neither, an empty one, by which nobody may approve."""
        return self.approvals.tools.get(tool) or self.approvals.default or Rule()

    def person(self, who: Identity) -> str | None:
        """The name in the directory, or None for a stranger."""
        return next((name for name, person in self.people.items() if person.has(who)), None)

    def approver(self, rule: Rule, who: Identity) -> str | None:
        """The person (or bare identity) as which `who` is named among the rule's approvers; None: not named."""
        name = self.person(who)
        if name is not None and name in rule.approvers:
            return name
        for approver in rule.approvers:
            channel, colon, address = approver.partition(":")
            if colon and same_address(who, channel, address):
                return name or approver
        return None


def _in_slack(places: tuple[str, ...]) -> tuple[str, ...]:
    for one in places:
        channel, _, address = one.partition(":")
        if channel != "slack" or not address:
            raise ValueError(f'only "slack:<channel or user>" is built yet, not "{one}"')
    return places


def same_address(who: Identity, channel: str, address: str) -> bool:
    """Does a written address mean this identity? Slack's may carry its team (`T0TEAM/U0ANA`); a bare id will do."""
    if not address or channel != who.channel:
        return False
    account, slash, bare = address.rpartition("/")
    if slash:
        return account == who.account and bare == who.address
    return address.casefold() == who.address.casefold() if channel == "email" else address == who.address


def place(written: str) -> ThreadRef:
    """`slack:C0OPS` or `slack:T0TEAM/C0OPS` as a destination."""
    channel, _, address = written.partition(":")
    account, _, key = address.rpartition("/")
    return ThreadRef(channel, account, key)


class _NotBuilt(ValueError):
    def __init__(self, word: str, message: str) -> None:
        super().__init__(message)
        self.word = word


def read(text: str, name: str = "gateway.toml") -> Policy:
    """The policy of a file's text. Raises `ConfigError` naming file, line and word."""
    try:
        words = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name}: {error}; mend the line") from error
    try:
        policy = Policy.model_validate(words)
    except ValidationError as error:
        raise ConfigError(_explain(error, text, name)) from error
    return policy.model_copy(update={"version": hashlib.sha256(text.encode()).hexdigest()[:12]})


def _explain(error: ValidationError, text: str, name: str) -> str:
    first = error.errors()[0]
    path = [part for part in first["loc"] if not (isinstance(part, str) and part.startswith("function-"))]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, _NotBuilt):
        path.append(cause.word)
    said = str(cause) if cause else first["msg"]
    if first["type"] == "extra_forbidden":
        said = f"`{path[-1]}` is not a word of this table; see docs/policy.md for the words there are"
    where = ".".join(str(part) for part in path)
    line = _line_of(path, text)
    return f"{name}{f', line {line}' if line else ''}: {where + ': ' if where else ''}{said}"


def _line_of(path: list[Any], text: str) -> int | None:
    """The line that holds the word at the end of `path`, under the table before it; best effort, for the message."""
    words = [str(part) for part in path if not isinstance(part, int)]
    repeat = next((part for part in path if isinstance(part, int)), 0) if path[:1] == ["routes"] else 0
    for length in range(len(words), 0, -1):
        table, word = ".".join(words[: length - 1]), words[length - 1]
        seen, here = -1, ""
        for number, line in enumerate(text.splitlines(), 1):
            if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line):
                here = header[1]
                seen += here == table
                if here == f"{table}.{word}".strip(".") and length == len(words):
                    return number
            elif here == table and max(seen, 0) == repeat and re.match(rf"\s*{re.escape(word)}\s*=", line):
                return number
    return None
