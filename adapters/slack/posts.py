"""What is written into Slack: posted, changed, replaced; and what each of Slack's refusals means. Retries nothing."""

import contextlib
from collections.abc import Iterator
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError

from adapters.slack.workspaces import Workspaces
from gateway.errors import KeyRefused, TryLater, Uncertain, WillNeverArrive
from gateway.events import Receipt, ThreadRef

PASSING = {"ratelimited", "rate_limited", "streaming_state_conflict"}
KEY_REFUSED = {"invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive", "org_login_required"}
BROKEN = {"internal_error", "fatal_error", "service_unavailable", "request_timeout"}
UNSENT = (SlackApiError, aiohttp.ClientError, TimeoutError, ValueError)
"""What Slack's client raises where a call came to nothing, or may have."""
CARD_GONE = {"message_not_found", "cant_update_message", "edit_window_closed"}

Shown = dict[str, Any]
"""`text` and `blocks`, as `render` makes them."""


class Posts:
    """Each deed raises `TryLater`, `WillNeverArrive` or `Uncertain`."""

    def __init__(self, workspaces: Workspaces) -> None:
        self._workspaces = workspaces

    async def post(self, to: ThreadRef, shown: Shown, ref: str, *, in_channel_too: bool = False) -> Receipt:
        """The key is a channel, or a channel and a thread; `ref` is what `Channel.find` looks for."""
        channel, _, thread = to.key.partition(":")
        client = await self._workspaces.of(to.account)
        with refusals():
            answer = await client.chat_postMessage(
                channel=channel,
                thread_ts=thread or None,
                reply_broadcast=in_channel_too or None,
                metadata=_metadata(ref),
                parse="none",
                unfurl_links=False,
                unfurl_media=False,
                **shown,
            )
        return Receipt(provider_id=f"{answer['channel']}:{answer['ts']}")

    async def whisper(self, to: ThreadRef, user: str, shown: Shown) -> Receipt:
        """Only `user` sees it, and no list of Slack's has it. Someone who left the channel is told nothing."""
        channel, _, thread = to.key.partition(":")
        client = await self._workspaces.of(to.account)
        with refusals():
            answer = await client.chat_postEphemeral(
                channel=channel, user=user, thread_ts=thread or None, parse="none", **shown
            )
        return Receipt(provider_id=f"{channel}:{answer['message_ts']}")

    async def change(self, team: str, receipt: Receipt, shown: Shown) -> Receipt:
        """Change a card; where it is gone, the words are a reply to it."""
        channel, _, ts = receipt.provider_id.partition(":")
        client = await self._workspaces.of(team)
        with refusals():
            try:
                await client.chat_update(channel=channel, ts=ts, **shown)
                return receipt
            except SlackApiError as error:
                if error_code(error) not in CARD_GONE:
                    raise
        return await self.post(ThreadRef("slack", team, receipt.provider_id), shown, "")

    async def update(self, team: str, handle: str, shown: Shown, ref: str) -> None:
        """Change a message of words."""
        channel, _, ts = handle.partition(":")
        client = await self._workspaces.of(team)
        with refusals():
            await client.chat_update(channel=channel, ts=ts, parse="none", metadata=_metadata(ref), **shown)

    async def replace(self, to: ThreadRef, handle: str, shown: Shown, ref: str) -> Receipt:
        """The whole reply in place of its beginning; where that cannot be changed to it, beside the gap it leaves.

        Twice is safe, also when the first time was cut off after any of the three calls.
        """
        with contextlib.suppress(WillNeverArrive):
            await self.update(to.account, handle, shown, ref)
            return Receipt(provider_id=handle)
        with contextlib.suppress(WillNeverArrive):
            await self._delete(to.account, handle)
        return await self.post(to, shown, ref)

    async def _delete(self, team: str, handle: str) -> None:
        channel, _, ts = handle.partition(":")
        client = await self._workspaces.of(team)
        with refusals():
            await client.chat_delete(channel=channel, ts=ts)


def _metadata(ref: str) -> dict[str, Any]:
    return {"event_type": "gatehouse", "event_payload": {"ref": ref}}


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """What Slack's client raises, in our words."""
    try:
        yield
    except SlackApiError as error:
        raise meaning(error) from error
    except aiohttp.ClientConnectorError as error:
        raise TryLater("Slack cannot be reached") from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Uncertain("Slack's answer was lost") from error


def word(error: Exception) -> str:
    """Slack's own word for what one of ours was raised from; empty: it said none."""
    cause = error.__cause__
    return error_code(cause) if isinstance(cause, SlackApiError) else ""


def error_code(error: SlackApiError) -> str:
    """Empty where the answer is not Slack's: of a page the client cannot read any further."""
    told = error.response.data if hasattr(error.response, "data") else None
    return str(told.get("error") or "") if isinstance(told, dict) else ""


def meaning(error: SlackApiError) -> TryLater | WillNeverArrive | Uncertain:
    code = error_code(error)
    said = code or f"HTTP {error.response.status_code}"
    if said in KEY_REFUSED:
        return KeyRefused(f"Slack said {said}: check SLACK__BOT_TOKEN")
    if error.response.status_code == 429 or said in PASSING:
        wait = error.response.headers.get("Retry-After", "")
        return TryLater(f"Slack said {said}", retry_after=float(wait) if str(wait).isdigit() else None)
    page = error.response.status_code < 400 and not code  # of a proxy in between, not Slack's
    if error.response.status_code >= 500 or said in BROKEN or page:
        return Uncertain(f"Slack said {said}")
    return WillNeverArrive(f"Slack said {said}")
