"""The places of gateway.toml where requests and alerts are shown: can each be written to?"""

import asyncio
from typing import Protocol, runtime_checkable

from config import wiring
from config.settings import Settings
from gateway.errors import GatewayError
from gateway.events import ThreadRef
from gateway.policy import REQUESTER, Policy
from gateway.ports import Channel, Finding

TIMEOUT_S = 4.0


@runtime_checkable
class Looks(Protocol):
    """A channel that can say whether a message would be shown somewhere."""

    async def look_at(self, place: ThreadRef) -> Finding:
        """`what`: who or what is there, or why nothing can be shown there. Raises `TryLater` or `GiveUp`."""


def written(policy: Policy) -> dict[str, list[str]]:
    """Each place as it is written, and the words of gateway.toml that name it."""
    rules = {"approvals.default": policy.approvals.default}
    rules |= {f"approvals.tools.{name}": rule for name, rule in policy.approvals.tools.items()}
    found: dict[str, dict[str, None]] = {}
    for table, rule in rules.items():
        for terms in rule.all_terms() if rule is not None else ():
            for word in ("ask", "escalate_to"):
                for place in getattr(terms, word):
                    found.setdefault(place, {})[f"{table}.{word}"] = None
    for place in policy.operations.alerts:
        found.setdefault(place, {})["operations.alerts"] = None
    return {place: list(words) for place, words in found.items() if place != REQUESTER}


async def checked(settings: Settings, policy: Policy) -> list[Finding]:
    """A line for each place of which its channel can say something. Asks the channels that are configured."""
    async with wiring.channels_beside(settings) as channels:
        named = [(place, policy.destination(place), words) for place, words in written(policy).items()]
        looks = [(f"{place} ({', '.join(words)})", to, channels.get(to.channel)) for place, to, words in named]
        return await asyncio.gather(*(_look(name, to, on) for name, to, on in looks if isinstance(on, Looks)))


async def _look(name: str, to: ThreadRef, channel: Channel | None) -> Finding:
    assert isinstance(channel, Looks)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            found = await channel.look_at(to)
    except TimeoutError:
        return Finding(True, f"places: {name}: not looked up, no answer within {TIMEOUT_S:.0f} s", "try again")
    except GatewayError as error:
        return Finding(True, f"places: {name}: not looked up, {error}", "see docs/deploying.md for the scopes")
    return Finding(found.ok, f"places: {name}: {found.what}", found.advice)
