"""The people and approvers of gateway.toml: for which tools they may decide, and whether their channel knows them."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from config import wiring
from config.settings import Settings
from gateway.errors import GatewayError
from gateway.policy import GROUP, REQUESTER, Policy, Rule
from gateway.policy.words import FORMS, as_written, known_as
from gateway.ports import Channel, Groups

TIMEOUT_S = 4.0


@runtime_checkable
class Directory(Protocol):
    """A channel that knows people. Of any other one only the form of an address can be looked at."""

    async def nobody_at(self, address: str) -> str:
        """Why a person's address leads to nobody; empty: somebody is there. Raises `TryLater` or `GiveUp`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """`decides`: the tables of the policy that name them; after "once escalated" those of `escalate_to`."""

    name: str
    slack: str
    sms: str
    whatsapp: str
    email: str
    decides: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """`who`: a person, or an approver as it is written. `unchecked`: nothing here could say."""

    who: str
    address: str
    found: Literal["known", "unknown", "unchecked"]
    why: str = ""


def listed(policy: Policy) -> list[Person]:
    return [
        Person(name=name, **{word: one.at(word) for word in FORMS}, decides=tuple(_decides(policy, name)))
        for name, one in sorted(policy.people.items())
    ]


async def checked(settings: Settings, policy: Policy) -> list[Address]:
    """Each address once. Asks the channels that are configured."""
    async with wiring.channels_beside(settings) as channels:
        return await asyncio.gather(*(_look(who, where, channels) for who, where in addresses(policy)))


def addresses(policy: Policy) -> list[tuple[str, str]]:
    """Who, and where as approvers are written: the people first, then whoever is named only in a rule."""
    found = [
        (name, as_written(f"{channel}:{address}"))
        for name, person in sorted(policy.people.items())
        for channel, address in person.addresses()
    ]
    theirs = {where for _, where in found}
    bare = dict.fromkeys(one for _, rule in _rules(policy) for one in _approvers(rule) if ":" in one)
    return found + [(one, one) for one in bare if one not in theirs]


# --- may decide ----------------------------------------------------------------------------------------------


def _decides(policy: Policy, name: str) -> Iterator[str]:
    addresses = {as_written(f"{channel}:{address}") for channel, address in policy.people[name].addresses()}
    for table, rule in _rules(policy):
        if {name, *addresses} & set(_approvers(rule)):
            yield table
        elif {name, *addresses} & {_named(one, policy) for one in rule.escalate_to}:
            yield f"{table} once escalated"


def _rules(policy: Policy) -> Iterator[tuple[str, Rule]]:
    if policy.approvals.default is not None:
        yield "default", policy.approvals.default
    yield from policy.approvals.tools.items()


def _approvers(rule: Rule) -> tuple[str, ...]:
    more = (one for when in rule.when for one in when.approvers or ())
    return tuple(one for one in (*rule.approvers, *more) if one != REQUESTER)


def _named(place: str, policy: Policy) -> str:
    name = place.partition(":")[2]
    return name if name in policy.people else place


# --- known? --------------------------------------------------------------------------------------------------


async def _look(who: str, where: str, channels: dict[str, Channel]) -> Address:
    channel, address = known_as(*where.split(":", 1))
    is_group = where.startswith(GROUP)
    asked = channels.get(channel)
    if asked is None:
        return Address(who=who, address=where, found="unchecked", why=f"{channel} is not configured here")
    try:
        async with asyncio.timeout(TIMEOUT_S):
            why = await (_of_group(asked, address) if is_group else _of_person(asked, address))
    except TimeoutError:
        return Address(who=who, address=where, found="unchecked", why=f"no answer within {TIMEOUT_S:.0f} s")
    except GatewayError as error:
        return Address(who=who, address=where, found="unchecked", why=str(error))
    return Address(who=who, address=where, found="unknown" if why else "known", why=why)


async def _of_person(channel: Channel, address: str) -> str:
    """Why nobody is there; empty: somebody is."""
    return await channel.nobody_at(address) if isinstance(channel, Directory) else ""


async def _of_group(channel: Channel, address: str) -> str:
    if not isinstance(channel, Groups):
        return "its members cannot be looked up, so nobody decides as one of them"
    members = await channel.members(address.removeprefix("group:"))
    return "" if members else "nobody is in it"
