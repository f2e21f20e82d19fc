"""`gateway doctor` with many workspaces: each is asked whether our token is good there."""

import asyncio
from collections.abc import Sequence

import aiohttp
from slack_sdk.errors import SlackApiError

from adapters.slack import checks, refusals
from adapters.slack.workspaces import Workspaces
from gateway.errors import GatewayError
from gateway.ports import Finding, Installation

AT_ONCE = 10


async def check(workspaces: Workspaces) -> Sequence[Finding]:
    """A line for each. Raises what the database raises."""
    found = await workspaces.all()
    if not found:
        return [Finding(True, "slack: installed in no workspace yet", "open /slack/install under PUBLIC_URL")]
    few = asyncio.Semaphore(AT_ONCE)

    async def one(installation: Installation) -> Finding:
        async with few:
            return await _check(workspaces, installation)

    return await asyncio.gather(*map(one, found))


async def _check(workspaces: Workspaces, where: Installation) -> Finding:
    named = f"slack: {where.account}" + (f" ({where.name})" if where.name else "")
    try:
        answer = await (await workspaces.of(where.account)).auth_test()
    except SlackApiError as error:
        return Finding(False, f"{named}: {refusals.meaning(error)}", "install the app there again")
    except (aiohttp.ClientError, TimeoutError):
        return Finding(False, f"{named}: Slack cannot be reached", "see SLACK__API_URL and this machine's network")
    except GatewayError as error:
        return Finding(False, f"{named}: {error}")
    missing = checks.missing(answer.headers)
    if missing:
        return Finding(False, f"{named}: the token lacks {', '.join(missing)}", "install the app there again")
    return Finding(True, f"{named}: the token is good")
