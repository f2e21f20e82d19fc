"""Bolt's listeners for approval cards: a click or a submitted form -> `decide`, and a private word back."""

import logging
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from adapters.slack import card, edit_form, forms, inbound, render, trial, waiting
from adapters.slack.posts import UNSENT
from gateway import sentences
from gateway.events import ApprovalView, Verdict
from gateway.ports import Decision, Door

log = logging.getLogger(__name__)

ANSWER_TIMEOUT_S = 3
VIA = "slack"
DENY_AGAIN = "The form did not open in time. Please press Deny again."
EDIT_AGAIN = "The form did not open in time. Please press Edit again."
OPEN_AGAIN = "The whole request did not open in time, so it cannot be approved yet. Please press the button again."


def listen(bolt: AsyncApp, door: Door) -> None:
    """Register the listeners. Each decides before it acknowledges: an unkept decision is answered 500."""

    @bolt.action(card.APPROVE)
    async def approve(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        who, (approval_id, digest) = inbound.clicker(body), inbound.clicked(body)
        decision = await door.approvals.decide(approval_id, who, Verdict.APPROVE, via=VIA, digest=digest)
        await ack()
        await _answer(client, body, decision)
        if inbound.pressed_in(body):
            await waiting.show(door, client, body)

    @bolt.action(card.DENY)
    async def ask_why(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        decision = await door.approvals.read(inbound.clicked(body)[0], inbound.clicker(body), via=VIA)
        await ack()
        if (asked := await _still(client, body, decision)) is not None:
            await _open(client, body, forms.deny(asked), DENY_AGAIN)

    @bolt.action(card.EDIT)
    async def ask_what(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        decision = await door.approvals.whole(inbound.clicked(body)[0], inbound.clicker(body), via=VIA)
        await ack()
        asked = await _still(client, body, decision)
        if asked is not None and asked.can_edit:
            await _open(client, body, edit_form.form(asked), EDIT_AGAIN)
        elif asked is not None:
            await _answer(client, body, Decision(result="forbidden"))

    @bolt.action(card.OPEN)
    async def open_whole(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        who, (approval_id, _) = inbound.clicker(body), inbound.clicked(body)
        decision = await door.approvals.whole(approval_id, who, via=VIA)
        await ack()
        asked = decision.approval
        if decision.result != "decided" or asked is None:
            await _answer(client, body, decision)
        elif await _open(client, body, forms.whole(asked), OPEN_AGAIN) and forms.shows_whole(asked):
            # Slack has taken the form, and nothing is cut off in it: only now does it count as opened.
            await door.approvals.opened(approval_id, who, via=VIA, digest=asked.digest)

    @bolt.action(trial.SEEN)
    async def seen(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        said = await door.reaching.seen(inbound.clicked(body)[0], inbound.clicker(body))
        await ack()
        await _tell(client, body, sentences.SEEN[said])

    @bolt.view(forms.DENY_FORM)
    async def deny(ack: Any, body: dict[str, Any], view: dict[str, Any], client: AsyncWebClient) -> None:
        reason, who = inbound.written(view, forms.REASON), inbound.clicker(body)
        approval_id, digest = inbound.about(view)
        decision = await door.approvals.decide(approval_id, who, Verdict.DENY, reason=reason, via=VIA, digest=digest)
        if said := render.answer(decision):
            await ack(response_action="errors", errors={forms.REASON: said})
        else:
            await ack()
            await waiting.show(door, client, body)

    @bolt.view(edit_form.EDIT_FORM)
    async def edit(ack: Any, body: dict[str, Any], view: dict[str, Any], client: AsyncWebClient) -> None:
        (approval_id, digest), who = inbound.about(view), inbound.clicker(body)
        decision = await door.approvals.whole(approval_id, who, via=VIA)
        asked, errors = decision.approval, dict[str, str]()
        if asked is not None and decision.result == "decided" and asked.digest.startswith(digest):
            # The form was made for these very arguments, so that its inputs are theirs.
            arguments, errors = edit_form.written(asked, view.get("state"))
            if not errors:
                decision = await door.approvals.edit(approval_id, who, arguments, via=VIA, digest=digest)
                errors = edit_form.beside(asked, decision.problems)
        elif decision.result == "decided":
            decision = Decision(result="changed")
        if not errors and decision.result != "edited":
            errors = {inbound.first_input(view): render.answer(decision) or sentences.answer(decision)}
        if errors:
            await ack(response_action="errors", errors=errors)
        else:
            await ack()
            await waiting.show(door, client, body)


async def _still(client: AsyncWebClient, body: dict[str, Any], decision: Decision) -> ApprovalView | None:
    """The request as the clicker saw it, still open and theirs; None: they have been told why not."""
    asked = decision.approval
    if decision.result == "decided" and asked is not None and asked.digest.startswith(inbound.clicked(body)[1]):
        return asked
    changed = decision.result == "decided" and asked is not None
    await _answer(client, body, Decision(result="changed") if changed else decision)
    return None


async def _open(client: AsyncWebClient, body: dict[str, Any], form: dict[str, Any], otherwise: str) -> bool:
    """False: Slack did not say that it opened."""
    try:
        await client.views_open(trigger_id=body.get("trigger_id", ""), view=form)
        return True
    except UNSENT as error:
        log.warning("a form did not open: %s", type(error).__name__)
        await _tell(client, body, otherwise)
        return False


async def _answer(client: AsyncWebClient, body: dict[str, Any], decision: Decision) -> None:
    """The result, to the clicker alone: a form says it itself, beside a card it is a private word."""
    if inbound.at_home(body):
        await _open(client, body, forms.told(sentences.answer(decision)), "")
        return
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
