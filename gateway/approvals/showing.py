"""What approvers have before their eyes: asked, reminded, and changed on every surface. Decides nothing."""

import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from gateway.approvals.texted import Texted
from gateway.approvals.views import about, to_show
from gateway.events import ApprovalView, AskApproval, Remind, Say, ShowOutcome, ThreadRef
from gateway.outbox import Outbox
from gateway.policy import REQUESTER, Policy
from gateway.store import Tx, lanes, sendings
from gateway.store.erasing import NOTHING
from gateway.store.tables import ApprovalRow, OutboxRow


class Showing:
    def __init__(self, outbox: Outbox, policy: Policy, texted: Texted, *, by_code: Collection[str] = ()) -> None:
        """`by_code`: channels without buttons."""
        self._outbox = outbox
        self._policy = policy
        self._texted = texted
        self._by_code = frozenset(by_code)

    async def ask(self, tx: Tx, row: ApprovalRow, places: Sequence[str]) -> None:
        """Show it at these places. Twice is once."""
        view = await to_show(tx.db, row, self._policy)
        for written in places:
            to, address = await self._where(tx, row, written, view)
            out = AskApproval(to=to, approval=view, **await self._way(tx, row, address, to))
            await self._outbox.add(tx, out, key=f"ask:{row.id}:{written}", **about(row))

    async def remind(self, tx: Tx, row: ApprovalRow, which: str) -> None:
        """Draw attention to every showing; a texted code is made anew."""
        view = await to_show(tx.db, row, self._policy)
        for shown in await self._shown(tx, row):
            to = _destination(shown)
            out = Remind(to=to, approval=view, **await self._way(tx, row, _code_for(shown), to))
            await self._outbox.add(tx, out, key=f"{which}:{shown.id}", changes_id=shown.id, **about(row))

    async def show(self, tx: Tx, row: ApprovalRow, *, stage: str, waiting: str = "", told: str = "") -> None:
        """Change every surface that shows the request, or take it back where it has not gone out yet.

        `told`: an address that hears the outcome already, as the answer to their own text.
        """
        view = replace(await to_show(tx.db, row, self._policy), waiting=waiting)
        for shown in await self._shown(tx, row, takes_back=row.state != "pending"):
            if shown.channel in self._by_code and stage != "settled":
                continue  # a text cannot be changed: another one tells the outcome, once
            if told and _code_for(shown) == told:
                continue
            out = ShowOutcome(to=_destination(shown), approval=view)
            await self._outbox.add(tx, out, key=f"outcome:{shown.id}:{stage}", changes_id=shown.id, **about(row))

    async def recode(self, tx: Tx, row: ApprovalRow, *, stage: str) -> None:
        """The arguments are others: who decides by code gets the request anew, for the old code is void."""
        view = await to_show(tx.db, row, self._policy)
        for shown in await self._shown(tx, row):
            if address := _code_for(shown):
                to = _destination(shown)
                out = Remind(to=to, approval=view, **await self._way(tx, row, address, to))
                await self._outbox.add(tx, out, key=f"{stage}:{shown.id}", changes_id=shown.id, **about(row))

    async def renew(self, tx: Tx, row: ApprovalRow, to: ThreadRef, address: str, *, key: str) -> bool:
        """Their code ran out: the request once more, with another. False: one that is good is out already."""
        if await self._texted.has_good(tx, row, address):
            return False
        view = await to_show(tx.db, row, self._policy)
        first = next((one.id for one in await self._shown(tx, row) if _code_for(one) == address), None)
        out = Remind(to=to, approval=view, late=True, **await self._way(tx, row, address, to))
        await self._outbox.add(tx, out, key=key, changes_id=first, **about(row))
        return True

    async def say_more_wait(
        self, tx: Tx, first: ApprovalRow, places: Sequence[str], *, behind: str, number: int | None
    ) -> None:
        """One summary for those that are not shown yet, `number` of one conversation; None: of several."""
        rest = "each is shown when one before it is settled. "
        if number is None:
            text = f"More requests wait behind the ones shown; {rest}`gateway approvals list` has all of them."
        else:
            text = (
                f"{number} more requests of conversation {first.conversation_id} wait behind the ones shown; {rest}"
                f"`gateway approvals deny --conversation {first.conversation_id}` denies them all."
            )
        for written in places:
            if written != REQUESTER:
                to = self._policy.destination(written)
                where: dict[str, Any] = {"conversation_id": first.conversation_id}
                await self._outbox.add(tx, Say(to=to, text=text), key=f"more:{behind}:{written}", **where)

    async def _shown(self, tx: Tx, row: ApprovalRow, *, takes_back: bool = False) -> list[OutboxRow]:
        found = []
        for shown in await sendings.shown(tx.db, row.id):
            if (
                shown.status in ("failed", "dropped")
                or shown.payload == NOTHING
                or (takes_back and await sendings.drop_unsent(tx, shown.id))
            ):
                continue
            found.append(shown)
        return found

    async def _where(self, tx: Tx, row: ApprovalRow, written: str, view: ApprovalView) -> tuple[ThreadRef, str]:
        """The destination, and whose code goes there; empty where there are buttons."""
        if written == REQUESTER:
            conversation = await lanes.conversation(tx.db, row.conversation_id)
            to = ThreadRef(conversation.channel, conversation.account, conversation.thread_key)
            address = f"{to.channel}:{view.requester.address}"
        else:
            to = self._policy.destination(written)
            address = f"{to.channel}:{to.key}"
        return to, address if to.channel in self._by_code else ""

    async def _way(self, tx: Tx, row: ApprovalRow, address: str, to: ThreadRef) -> dict[str, Any]:
        return await self._texted.way(tx, row, address, to.account) if address else {}


def _destination(shown: OutboxRow) -> ThreadRef:
    to = json.loads(shown.payload)["to"]
    return ThreadRef(to["channel"], to["account"], to["key"])


def _code_for(shown: OutboxRow) -> str:
    return str(json.loads(shown.payload).get("code_for") or "")
