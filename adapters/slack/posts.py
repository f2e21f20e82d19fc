"""What is written into Slack: posted, changed, replaced. Retries nothing; a refusal that has another way takes it."""

import contextlib
from typing import Any

from slack_sdk.errors import SlackApiError

from adapters.slack.refusals import CARD_GONE, THREAD_GONE, TOO_LONG, NotShowable, error_code, refusals, word
from adapters.slack.workspaces import Workspaces
from gateway.errors import WillNeverArrive
from gateway.events import Receipt, ThreadRef

Shown = dict[str, Any]
"""`text` and `blocks`, as `render` makes them."""


class Posts:
    """Each deed raises `TryLater`, `WillNeverArrive` or `Uncertain`."""

    def __init__(self, workspaces: Workspaces) -> None:
        self._workspaces = workspaces

    async def post(self, to: ThreadRef, shown: Shown, ref: str, *, in_channel_too: bool = False) -> Receipt:
        """The key is a channel, or a channel and a thread; `ref` is what `Channel.find` looks for.

        Where the thread is gone, because its first message was deleted, it is said in the channel itself.
        """
        channel, _, thread = to.key.partition(":")
        try:
            return await self._post(to.account, channel, thread, shown, ref, in_channel_too=in_channel_too)
        except WillNeverArrive as error:
            if not thread or word(error) not in THREAD_GONE:
                raise
        return await self._post(to.account, channel, "", shown, ref)

    async def _post(
        self, team: str, channel: str, thread: str, shown: Shown, ref: str, *, in_channel_too: bool = False
    ) -> Receipt:
        client = await self._workspaces.of(team)
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
        try:
            await self.update(to.account, handle, shown, ref)
            return Receipt(provider_id=handle)
        except WillNeverArrive as error:
            if isinstance(error, NotShowable) and word(error) != TOO_LONG:  # a post takes more words, not other blocks
                raise
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
