"""Bolt's listeners for approval cards: a click or a submitted form -> `decide`, and a private word back."""

from collections.abc import Awaitable
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack import card, edit_form, forms, inbound, render, trial, waiting
from adapters.slack.clicks import Click
from gateway import sentences
from gateway.events import ApprovalView, Verdict
from gateway.ports import Decision, Door

VIA = "slack"
DENY_AGAIN = "The form did not open in time. Please press Deny again."
EDIT_AGAIN = "The form did not open in time. Please press Edit again."
OPEN_AGAIN = "The whole request did not open in time, so it cannot be approved yet. Please press the button again."


def listen(bolt: AsyncApp, door: Door) -> None:
    """Register the listeners. What decides is acknowledged when it is kept, else answered 500; what asks, at once."""

    @bolt.action(card.APPROVE)
    async def approve(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        who, (approval_id, digest) = inbound.clicker(body), inbound.clicked(body)
        decision = await door.approvals.decide(approval_id, who, Verdict.APPROVE, via=VIA, digest=digest)
        await ack()
        await Click(client, body).answers(decision)
        if inbound.pressed_in(body):
            await waiting.show(door, client, body)

    @bolt.action(card.DENY)
    async def ask_why(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        click = Click(client, body, again=DENY_AGAIN)
        look = door.approvals.read(inbound.clicked(body)[0], inbound.clicker(body), via=VIA)
        if (asked := await _still(click, body, look)) is not None:
            await click.opens(forms.deny(asked))

    @bolt.action(card.EDIT)
    async def ask_what(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        click = Click(client, body, again=EDIT_AGAIN)
        look = door.approvals.whole(inbound.clicked(body)[0], inbound.clicker(body), via=VIA)
        asked = await _still(click, body, look)
        if asked is not None and asked.can_edit:
            await click.opens(edit_form.form(asked))
        elif asked is not None:
            await click.answers(Decision(result="forbidden"))

    @bolt.action(card.OPEN)
    async def open_whole(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        who, (approval_id, _) = inbound.clicker(body), inbound.clicked(body)
        click = Click(client, body, again=OPEN_AGAIN)
        decision = await click.finds(door.approvals.whole(approval_id, who, via=VIA))
        if decision is None:
            return
        asked = decision.approval
        if decision.result != "decided" or asked is None:
            await click.answers(decision)
        elif await click.opens(forms.whole(asked)) and forms.shows_whole(asked):
            # Slack has taken the form, and nothing is cut off in it: only now does it count as opened.
            await door.approvals.opened(approval_id, who, via=VIA, digest=asked.digest)

    @bolt.action(trial.SEEN)
    async def seen(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        said = await door.reaching.seen(inbound.clicked(body)[0], inbound.clicker(body))
        await ack()
        await Click(client, body).tells(sentences.SEEN[said])

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


async def _still(click: Click, body: dict[str, Any], look: Awaitable[Decision]) -> ApprovalView | None:
    """The request as the clicker saw it, still open and theirs; None: they have been told why not."""
    decision = await click.finds(look)
    if decision is None:
        return None
    asked = decision.approval
    if decision.result == "decided" and asked is not None and asked.digest.startswith(inbound.clicked(body)[1]):
        return asked
    changed = decision.result == "decided" and asked is not None
    await click.answers(Decision(result="changed") if changed else decision)
    return None
