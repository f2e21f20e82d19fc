"""Who somebody is at this moment: the directory, and groups that a channel knows, cached briefly and failing closed."""

import asyncio
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.events import Identity
from gateway.policy import GROUP, Policy
from gateway.ports import Clock, Groups

log = logging.getLogger(__name__)

GROUP_LIVES = timedelta(seconds=60)
LOOKUP_S = 2.5  # a click must be answered within three seconds


@dataclass(frozen=True, slots=True)
class Membership:
    """The groups, as approvers are written, that somebody is in; `sure` is False where one could not be looked up."""

    groups: frozenset[str] = frozenset()
    sure: bool = True


class People:
    def __init__(self, policy: Policy, groups: Mapping[str, Groups], clock: Clock) -> None:
        self._policy = policy
        self._groups = groups
        self._clock = clock
        self._known: dict[str, tuple[datetime, frozenset[str]]] = {}

    async def membership(self, who: Identity, approvers: Collection[str]) -> Membership:
        """Of `who`, under any address of theirs, in the groups among `approvers`. Asks the channel outside of any
        transaction; a group that cannot be looked up is one they are not in.
        """
        found, sure, mine = set(), True, self._addresses(who)
        for group in {one for one in approvers if one.startswith(GROUP)}:
            members = await self._members(group)
            if members is None:
                sure = False
            elif mine & members:
                found.add(group)
        return Membership(frozenset(found), sure)

    def _addresses(self, who: Identity) -> set[str]:
        name = self._policy.person(who)
        mine = (
            {address for channel, address in self._policy.people[name].addresses() if channel == "slack"}
            if name
            else set()
        )
        if who.channel == "slack":
            mine |= {who.address, f"{who.account}/{who.address}"}
        return mine | {address.rpartition("/")[2] for address in mine}

    async def _members(self, group: str) -> frozenset[str] | None:
        now = self._clock()
        kept = self._known.get(group)
        if kept is not None and timedelta() <= now - kept[0] < GROUP_LIVES:
            return kept[1]
        channel, _, name = group.partition(":")
        lookup = self._groups.get(channel)
        if lookup is None:
            return None
        try:
            async with asyncio.timeout(LOOKUP_S):
                members = frozenset(await lookup.members(name.removeprefix("group:")))
        except Exception as error:  # noqa: BLE001 - whatever keeps a group from us, nobody is known to be in it
            log.warning("the group %s could not be looked up: %s", group, type(error).__name__)
            return None
        self._known[group] = (now, members)
        return members
