"""gateway.toml as typed values: routes, people, approval rules, alerts. Pure: text in, values out.

An unknown word is an error; a word whose feature is not built yet is refused by its name. Both name the line.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from pydantic import Field, ValidationError, field_validator, model_validator

from gateway.errors import ConfigError
from gateway.events import Identity, MessageReceived, ThreadRef
from gateway.policy.people import GROUP, REQUESTER, TOKEN, Person
from gateway.policy.routes import Route
from gateway.policy.rules import Rule, Ruling, Terms
from gateway.policy.words import Duration, Words, known_as, may_be_one, misformed, place, same_address, shown_somewhere


class _Approvals(Words):
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


class _Operations(Words):
    alerts: tuple[str, ...] = ()
    late_after: Duration = timedelta(minutes=15)
    heads: bool = True

    @field_validator("alerts")
    @classmethod
    def can_be_sent(cls, places: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(shown_somewhere(one) for one in places)


TEXTED = ("sms", "whatsapp")  # words whose addresses are numbers
SHORTEST_RETENTION = timedelta(days=7)


class Retention(Words):
    """How long what people wrote is kept; nothing here: for ever."""

    messages: Duration | None = None
    approvals: Duration | None = None

    @field_validator("messages", "approvals")
    @classmethod
    def not_too_short(cls, time: timedelta | None) -> timedelta | None:
        if time is not None and time < SHORTEST_RETENTION:
            raise ValueError(
                "at least 7d: a carrier hands a message over again for days, and a request waits for a week"
            )
        return time


class Policy(Words):
    """The whole file. `version` names its text."""

    version: str = ""
    text: str = ""
    routes: tuple[Route, ...] = ()
    people: dict[str, Person] = Field(default_factory=dict)
    approvals: _Approvals = Field(default_factory=_Approvals)
    operations: _Operations = Field(default_factory=_Operations)
    retention: Retention = Field(default_factory=Retention)

    @model_validator(mode="after")
    def people_exist(self) -> "Policy":
        for where, names in self._named():
            for name in names:
                if ":" not in name and name != REQUESTER and name not in self.people:
                    raise ValueError(f'approvals: "{name}" ({where}) is not among [people.*]')
        return self

    @model_validator(mode="after")
    def addresses_are_one_persons(self) -> "Policy":
        seen: dict[tuple[str, str], str] = {}
        for name, person in self.people.items():
            if ":" in name or name == REQUESTER:
                raise ValueError(f'people: "{name}" cannot be a person\'s name')
            for address in person.addresses():
                if (other := seen.setdefault(address, name)) != name:
                    raise ValueError(f"people: {address[0]} {address[1]} is both {other} and {name}; who is it?")
        return self

    @model_validator(mode="after")
    def numbers_are_one_persons(self) -> "Policy":
        """The same number on SMS and on WhatsApp, as two approvers, would be two votes of one person."""
        seen = {one.at(word): name for name, one in self.people.items() for word in TEXTED if one.at(word)}
        for name, one in self.people.items():
            for word in TEXTED:
                if one.at(word) and seen[one.at(word)] != name:
                    raise ValueError(
                        f"people: {word} {one.at(word)} is both {name} and {seen[one.at(word)]}; who is it?"
                    )
        for written in dict.fromkeys(name for _, names in self._named() for name in names):
            word, _, number = written.partition(":")
            if word in TEXTED and (other := seen.setdefault(number, self._whose(written))) != self._whose(written):
                raise ValueError(f'approvals: "{written}" has the number of {other}: one person; see [people.*]')
        return self

    @model_validator(mode="after")
    def people_can_be_reached(self) -> "Policy":
        rules = [rule for rule in (self.approvals.default, *self.approvals.tools.values()) if rule is not None]
        for written in (*self.operations.alerts, *(one for rule in rules for one in (*rule.ask, *rule.escalate_to))):
            channel, _, address = written.partition(":")
            if address in self.people and not self.people[address].at(channel):
                raise ValueError(f'"{written}": people.{address} has no `{channel}`; add it, or name another place')
            number = address.rpartition("/")[2]
            if channel in TEXTED and address not in self.people and misformed(channel, number):
                raise ValueError(f'"{written}": "{address}" is neither among [people.*] nor a number like +15550001111')
        return self

    @model_validator(mode="after")
    def enough_people(self) -> "Policy":
        for name, rule in (("default", self.approvals.default), *self.approvals.tools.items()):
            for terms in () if rule is None else rule.all_terms():
                named = (one for one in self.may_decide(terms, escalated=True) if one != REQUESTER)
                several = list(dict.fromkeys(map(self._whose, named)))
                a_group = any(one.startswith(GROUP) for one in several)
                if terms.approvers and not a_group and terms.required > max(len(several), 1):
                    number = f"needs {terms.required} people and names {len(several)}"
                    raise ValueError(f"approvals: {name} {number}: nobody could approve")
        return self

    def _whose(self, approver: str) -> str:
        """The person whose bare identity it is, else as it is written."""
        word, _, address = approver.partition(":")
        channel, written = known_as(word, address)
        for name, person in self.people.items():
            if any(kind == channel and may_be_one(own, written) for kind, own in person.addresses()):
                return name
        return approver

    def _named(self) -> list[tuple[str, tuple[str, ...]]]:
        tables = [("default", self.approvals.default), *self.approvals.tools.items()]
        rules = [(name, rule) for name, rule in tables if rule is not None]
        own = [(f"an approver of {name}", rule.approvers) for name, rule in rules]
        conditional = [
            (f"an approver of {name} if {when.condition}", when.approvers or ())
            for name, rule in rules
            for when in rule.when
        ]
        escalated = [
            (
                f"`escalate_to` of {name}",
                tuple(one for one in rule.escalate_to if one.partition(":")[2] not in self.people),
            )
            for name, rule in rules
        ]
        return own + conditional + escalated

    def route_named(self, name: str | None) -> Route | None:
        return next((route for route in self.routes if route.name == name), None)

    def route_for(self, event: MessageReceived) -> Route | None:
        return next((route for route in self.routes if route.takes(event)), None)

    def rule_for(self, tool: str) -> Rule:
        """The tool's own rule, else the default; with neither, an empty one, by which nobody may approve."""
        return self.approvals.tools.get(tool) or self.approvals.default or Rule()

    def destination(self, written: str) -> ThreadRef:
        """Where `slack:C0OPS`, `sms:+1555...`, `sms:ana` or `whatsapp:ana` is."""
        channel, _, address = written.partition(":")
        person = self.people.get(address)
        return place(f"{channel}:{person.at(channel)}" if person else written)

    def may_decide(self, terms: Terms, *, escalated: bool) -> tuple[str, ...]:
        """The approvers, and those it was escalated to, who are written as places."""
        if not escalated:
            return terms.approvers
        more = (one.partition(":")[2] if one.partition(":")[2] in self.people else one for one in terms.escalate_to)
        return tuple(dict.fromkeys((*terms.approvers, *more)))

    def ruling(self, tool: str, arguments: Mapping[str, Any] | None) -> Ruling:
        """What the policy says of this call."""
        return self.rule_for(tool).of(arguments)

    def person(self, who: Identity) -> str | None:
        """The name in the directory, or None for a stranger."""
        if who.channel == TOKEN:
            return who.address if who.address in self.people else None
        return next((name for name, person in self.people.items() if person.has(who)), None)

    def named(self, approvers: Collection[str], who: Identity, groups: Collection[str] = ()) -> str | None:
        """The person (or bare identity) as which `who` is named among approvers; None: not named.

        `groups`: those, as approvers are written, that `who` is known to be in.
        """
        name = self.person(who)
        if name is not None and name in approvers:
            return name
        for approver in approvers:
            channel, _, address = approver.partition(":")
            if approver.startswith(GROUP):
                if approver in groups:
                    return name or f"{who.channel}:{who.account}/{who.address}"
            elif address and self._is(who, name, channel, address):
                return name or approver
        return None

    def _is(self, who: Identity, name: str | None, channel: str, address: str) -> bool:
        """Is a bare identity this one, or another address of the same person?"""
        return same_address(who, channel, address) or (
            name is not None and known_as(channel, address) in self.people[name].addresses()
        )


def read(text: str, name: str = "gateway.toml") -> Policy:
    """The policy of a file's text. Raises `ConfigError` naming file, line and word."""
    try:
        words = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name}: {error}; mend the line") from error
    for word in ("version", "text"):
        if word in words:
            raise ConfigError(
                f"{name}: `{word}` is not a word of this file; see docs/policy.md for the words there are"
            )
    try:
        policy = Policy.model_validate(words)
    except ValidationError as error:
        raise ConfigError(_explain(error, text, name)) from error
    return policy.model_copy(update={"version": hashlib.sha256(text.encode()).hexdigest()[:12], "text": text})


def _explain(error: ValidationError, text: str, name: str) -> str:
    first = error.errors()[0]
    path = [part for part in first["loc"] if not (isinstance(part, str) and part.startswith("function-"))]
    cause = first.get("ctx", {}).get("error")
    said = str(cause) if cause else first["msg"]
    if first["type"] == "extra_forbidden":
        said = f"`{path[-1]}` is not a word of this table; see docs/policy.md for the words there are"
    if first["type"] == "tuple_type" and isinstance(first["input"], str):
        said = f"it is a list: write it as [{json.dumps(first['input'])}]"
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
