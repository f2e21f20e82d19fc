"""What somebody who clicked is shown: a form, the result in the form they clicked in, or a word only they see."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from adapters.slack import forms, inbound, render
from adapters.slack.parts import Block
from adapters.slack.refusals import UNSENT
from gateway import sentences
from gateway.ports import Decision

log = logging.getLogger(__name__)

ANSWER_TIMEOUT_S = 3
SOON_S = 1.2  # a click opens a form within three seconds, or none: a form that says to wait can be filled later
CLOSED = "not_found"  # Slack's word for a form that the person closed
WAIT = "One moment. The request is being looked up."


class Click:
    """One click, acknowledged. `again`: what the person is told where nothing opens for them."""

    def __init__(self, client: AsyncWebClient, body: dict[str, Any], *, again: str = "") -> None:
        self._client = client
        self._body = body
        self._again = again
        self._form = ""  # the id of the one that says to wait
        self._is_lost = False

    async def finds(self, look: Awaitable[Decision]) -> Decision | None:
        """What is asked for, however long that takes. None: the person has been told that nothing came of it."""
        looking = asyncio.ensure_future(look)
        done, _ = await asyncio.wait({looking}, timeout=SOON_S)
        if not done:
            await self.opens(forms.told(WAIT))
        try:
            found = await looking
        except Exception:
            # The click is acknowledged, so nobody else tells the person, whatever it was.
            log.exception("a request could not be looked up for a form")
            await self._instead(forms.told(self._again))
            return None
        return None if self._is_lost else found

    async def opens(self, form: Block) -> bool:
        """False: Slack did not say that it opened, and the person was told."""
        try:
            if self._form:
                await self._client.views_update(view_id=self._form, view=form)
                return True
            answer = await self._client.views_open(trigger_id=self._body.get("trigger_id", ""), view=form)
            self._form = str((answer.get("view") or {}).get("id") or "")
            return True
        except UNSENT as error:
            why = str(error.response.get("error")) if isinstance(error, SlackApiError) else type(error).__name__
            log.warning("a form did not open: %s", why)
            self._is_lost = True
            if not (self._form and why == CLOSED):
                await self.tells(self._again)
            return False

    async def answers(self, decision: Decision) -> None:
        """The result, to the clicker alone: a form says it itself, beside a card it is a private word."""
        said = forms.told(sentences.answer(decision))
        if self._form or inbound.at_home(self._body):
            await self.opens(said)
        elif view_id := inbound.pressed_in(self._body):
            try:
                await self._client.views_update(view_id=view_id, view=said)
            except UNSENT:
                log.info("a form was closed before it could say the result")
        else:
            await self.tells(render.answer(decision))

    async def tells(self, text: str) -> None:
        """A word that only the clicker sees. By the click's own address; where that fails, through the Web API."""
        if not text:
            return
        try:
            answer = AsyncWebhookClient(str(self._body.get("response_url") or ""), timeout=ANSWER_TIMEOUT_S)
            # Without replace_original=False the answer may replace the card for everybody.
            sent = await answer.send(text=text, response_type="ephemeral", replace_original=False)
            if sent.status_code == 200:
                return
        except UNSENT:
            log.info("a click's answer did not go out by its own address")
        channel = (self._body.get("channel") or {}).get("id") or (self._body.get("container") or {}).get("channel_id")
        try:
            who = inbound.clicker(self._body).address
            await self._client.chat_postEphemeral(channel=channel or "", user=who, text=text)
        except UNSENT:
            log.warning("somebody who clicked could not be told the result")

    async def _instead(self, form: Block) -> None:
        if self._form:
            await self.opens(form)
        elif not self._is_lost:
            await self.tells(self._again)
