"""Bolt's listeners for approval cards: a click or a submitted form -> `decide`, and a private word back."""

import logging
from typing import Any

import aiohttp
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from adapters.slack import card, forms, inbound, render
from gateway import sentences
from gateway.events import Verdict
from gateway.ports import Decision, Door

log = logging.getLogger(__name__)

ANSWER_TIMEOUT_S = 3
VIA = "slack"
UNSENT = (SlackApiError, aiohttp.ClientError, TimeoutError, ValueError)


def listen(bolt: AsyncApp, door: Door) -> None:
    """Register the listeners. Each decides before it acknowledges: an unkept decision is answered 500."""

    @bolt.action(card.APPROVE)
    async def approve(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        who, (approval_id, digest) = inbound.clicker(body), inbound.clicked(body)
        decision = await door.approvals.decide(approval_id, who, Verdict.APPROVE, via=VIA, digest=digest)
        await ack()
        await _answer(client, body, decision)

    @bolt.action(card.DENY)
    async def ask_why(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        approval_id, digest = inbound.clicked(body)
        decision = await door.approvals.read(approval_id, inbound.clicker(body), via=VIA)
        await ack()
        asked = decision.approval
        if decision.result != "decided" or asked is None:
            await _answer(client, body, decision)
        elif not asked.digest.startswith(digest):
            await _answer(client, body, Decision(result="changed"))
        else:
            await _open(client, body, forms.deny(asked), "The form did not open in time. Please press Deny again.")

    @bolt.action(card.OPEN)
    async def open_whole(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        who, (approval_id, _) = inbound.clicker(body), inbound.clicked(body)
        decision = await door.approvals.read(approval_id, who, via=VIA)
        if decision.approval is not None and forms.shows_whole(decision.approval):
            # That they opened it is kept, so it is asked for only when all of it can be shown.
            decision = await door.approvals.read(approval_id, who, whole=True, via=VIA)
        await ack()
        if decision.result != "decided" or decision.approval is None:
            await _answer(client, body, decision)
            return
        await _open(client, body, forms.whole(decision.approval), "It did not open in time. Please press it again.")

    @bolt.view(forms.DENY_FORM)
    async def deny(ack: Any, body: dict[str, Any], view: dict[str, Any]) -> None:
        reason, who = inbound.written(view, forms.REASON), inbound.clicker(body)
        approval_id, digest = inbound.about(view)
        decision = await door.approvals.decide(approval_id, who, Verdict.DENY, reason=reason, via=VIA, digest=digest)
        if said := render.answer(decision):
            await ack(response_action="errors", errors={forms.REASON: said})
        else:
            await ack()


async def _open(client: AsyncWebClient, body: dict[str, Any], form: dict[str, Any], otherwise: str) -> None:
    try:
        await client.views_open(trigger_id=body.get("trigger_id", ""), view=form)
    except UNSENT as error:
        log.warning("a form did not open: %s", type(error).__name__)
        await _tell(client, body, otherwise)


async def _answer(client: AsyncWebClient, body: dict[str, Any], decision: Decision) -> None:
    """The result, to the clicker alone: a form says it itself, beside a card it is a private word."""
    if view_id := inbound.pressed_in(body):
        try:
            await client.views_update(view_id=view_id, view=forms.told(sentences.answer(decision)))
        except UNSENT:
            log.info("a form was closed before it could say the result")
        return
    await _tell(client, body, render.answer(decision))


async def _tell(client: AsyncWebClient, body: dict[str, Any], text: str) -> None:
    """A word that only the clicker sees. By the click's own address; where that fails, through the Web API."""
    if not text:
        return
    try:
        answer = AsyncWebhookClient(str(body.get("response_url") or ""), timeout=ANSWER_TIMEOUT_S)
        # Without replace_original=False the answer may replace the card for everybody.
        sent = await answer.send(text=text, response_type="ephemeral", replace_original=False)
        if sent.status_code == 200:
            return
    except UNSENT:
        log.info("a click's answer did not go out by its own address")
    channel = (body.get("channel") or {}).get("id") or (body.get("container") or {}).get("channel_id") or ""
    try:
        await client.chat_postEphemeral(channel=channel, user=inbound.clicker(body).address, text=text)
    except UNSENT:
        log.warning("somebody who clicked could not be told the result")
