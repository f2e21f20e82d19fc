"""Bolt's listeners for approval cards: a click or a submitted form -> `decide`, and a private word back."""

import logging
from typing import Any

import aiohttp
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from adapters.slack import inbound, render
from gateway.events import Verdict
from gateway.ports import Door

log = logging.getLogger(__name__)

ANSWER_TIMEOUT_S = 3
UNSENT = (SlackApiError, aiohttp.ClientError, TimeoutError, ValueError)


def listen(bolt: AsyncApp, door: Door) -> None:
    """Register the listeners. Each decides before it acknowledges: an unkept decision is answered 500."""

    @bolt.action(render.APPROVE)
    async def approve(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        who, approval_id = inbound.clicker(body), _clicked(body)
        decision = await door.approvals.decide(approval_id, who, Verdict.APPROVE, via="slack")
        await ack()
        await _tell(client, body, render.answer(decision))

    @bolt.action(render.DENY)
    async def ask_why(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        approval_id = _clicked(body)
        decision = await door.approvals.read(approval_id, inbound.clicker(body))
        await ack()
        if decision.result != "decided" or decision.approval is None:
            await _tell(client, body, render.answer(decision))
            return
        try:
            form = render.deny_form(approval_id, decision.approval)
            await client.views_open(trigger_id=body.get("trigger_id", ""), view=form)
        except UNSENT:
            log.warning("approval %s: the form for the reason did not open", approval_id)
            await _tell(client, body, "The form did not open in time. Please press Deny again.")

    @bolt.view(render.DENY_FORM)
    async def deny(ack: Any, body: dict[str, Any], view: dict[str, Any]) -> None:
        reason = inbound.written(view, render.REASON)
        approval_id, who = str(view.get("private_metadata") or ""), inbound.clicker(body)
        decision = await door.approvals.decide(approval_id, who, Verdict.DENY, reason=reason, via="slack")
        if said := render.answer(decision):
            await ack(response_action="errors", errors={render.REASON: said})
        else:
            await ack()


def _clicked(body: dict[str, Any]) -> str:
    actions = body.get("actions")
    first = actions[0] if isinstance(actions, list) and actions else {}
    return str(first.get("value") or "") if isinstance(first, dict) else ""


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
