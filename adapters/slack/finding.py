"""Looks for a message of ours in Slack's own lists, by the id in its metadata. Writes nothing."""

from datetime import timedelta
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack.refusals import SCOPE_MISSING, THREAD_GONE, error_code, meaning
from gateway.errors import TryLater, Unknowable, WillNeverArrive
from gateway.events import Outbound, Receipt, Remind, Say, ShowOutcome

CLOCKS_APART = timedelta(minutes=5)
MAX_PAGES = 10  # of a look for one message


async def find(client: AsyncWebClient, message: Outbound) -> Receipt | None:
    """What was written since the first try. Changing a message twice is the same as once. See `Channel.find`."""
    if isinstance(message, ShowOutcome):
        return None
    if isinstance(message, Say) and message.only_for:
        raise Unknowable("Slack lists no words for one person alone")
    below = message.receipt if isinstance(message, Remind) else None
    channel, _, thread = (below.provider_id if below else message.to.key).partition(":")
    try:
        try:
            return await _find(client, channel, thread, message)
        except SlackApiError as error:
            if not thread or error_code(error) not in THREAD_GONE:
                raise
        return await _find(client, channel, "", message)  # where it is said when its thread is gone
    except SlackApiError as error:
        ours = meaning(error)
        if isinstance(ours, WillNeverArrive) or error_code(error) == SCOPE_MISSING:
            raise Unknowable("Slack does not show us the channel's messages") from error
        raise TryLater(str(ours)) from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise TryLater("Slack cannot be asked at the moment") from error


async def _find(client: AsyncWebClient, channel: str, thread: str, message: Outbound) -> Receipt | None:
    since = message.queued_at
    oldest = "0" if since is None else str((since - CLOCKS_APART).timestamp())
    where: dict[str, Any] = {"channel": channel, "oldest": oldest, "limit": 200, "include_all_metadata": True}
    cursor = ""
    for _ in range(MAX_PAGES):
        if thread:
            page = await client.conversations_replies(ts=thread, cursor=cursor or None, **where)
        else:
            page = await client.conversations_history(cursor=cursor or None, **where)
        for one in page.get("messages") or []:
            payload = (one.get("metadata") or {}).get("event_payload") or {}
            if payload.get("ref") == message.ref:
                return Receipt(provider_id=f"{channel}:{one['ts']}")
        cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
        if not cursor:
            return None
    raise Unknowable("too much was written since")
