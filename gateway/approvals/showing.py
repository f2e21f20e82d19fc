"""What approvers have before their eyes: asked, reminded, and changed on every surface. Decides nothing."""

import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from gateway import codes as makes
from gateway.approvals.views import about, sendable, whole
from gateway.events import ApprovalView, AskApproval, Remind, Say, ShowOutcome, ThreadRef
from gateway.outbox import Outbox
from gateway.policy import REQUESTER, Policy
from gateway.ports import Clock
from gateway.store import Tx, codes, lanes, sendings
from gateway.store.erasing import NOTHING
from gateway.store.tables import ApprovalRow, OutboxRow

CODE_LIVES = timedelta(minutes=30)


class Showing:
    def __init__(
        self, outbox: Outbox, policy: Policy, clock: Clock, *, by_code: Collection[str] = (), key: str = ""
    ) -> None:
        """`by_code`: channels without buttons; `key` makes their codes."""
        self._outbox = outbox
        self._policy = policy
        self._clock = clock
        self._by_code = frozenset(by_code)
        self._key = key

    async def ask(self, tx: Tx, row: ApprovalRow, places: Sequence[str]) -> None:
        """Show it at these places. Twice is once."""
        view = sendable(await whole(tx.db, row))
        for written in places:
            to, address = await self._where(tx, row, written, view)
            n = await self._code(tx, row, address) if address else 0
            out = AskApproval(to=to, approval=view, code_for=address, code_n=n)
            await self._outbox.add(tx, out, key=f"ask:{row.id}:{written}", **about(row))

    async def remind(self, tx: Tx, row: ApprovalRow, which: str) -> None:
        """Draw attention to every showing; a texted code is made anew."""
        view = sendable(await whole(tx.db, row))
        for shown in await self._shown(tx, row):
            to, address = _destination(shown), _code_for(shown)
            n = await self._code(tx, row, address) if address else 0
            out = Remind(to=to, approval=view, code_for=address, code_n=n)
            await self._outbox.add(tx, out, key=f"{which}:{shown.id}", changes_id=shown.id, **about(row))

    async def show(self, tx: Tx, row: ApprovalRow, *, stage: str, waiting: str = "") -> None:
        """Change every surface that shows the request, or take it back where it has not gone out yet."""
        view = replace(sendable(await whole(tx.db, row)), waiting=waiting)
        for shown in await self._shown(tx, row, takes_back=row.state != "pending"):
            if shown.channel in self._by_code and stage != "settled":
                continue  # a text cannot be changed: another one tells the outcome, once
            out = ShowOutcome(to=_destination(shown), approval=view)
            await self._outbox.add(tx, out, key=f"outcome:{shown.id}:{stage}", changes_id=shown.id, **about(row))

    async def recode(self, tx: Tx, row: ApprovalRow, *, stage: str) -> None:
        """The arguments are others: who decides by code gets the request anew, for the old code is void."""
        view = sendable(await whole(tx.db, row))
        for shown in await self._shown(tx, row):
            if address := _code_for(shown):
                n = await self._code(tx, row, address)
                out = Remind(to=_destination(shown), approval=view, code_for=address, code_n=n)
                await self._outbox.add(tx, out, key=f"{stage}:{shown.id}", changes_id=shown.id, **about(row))

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

    async def _code(self, tx: Tx, row: ApprovalRow, address: str) -> int:
        """Give the address its next code: one that no other open request of theirs has."""
        now = self._clock()
        others = {
            makes.code(self._key, one.approval_id, address, one.n) for one in await codes.open_for(tx.db, address, now)
        }
        n = await codes.last(tx.db, row.id, address) + 1
        while makes.code(self._key, row.id, address, n) in others:
            n += 1
        until = min(now + CODE_LIVES, row.expires_at)
        await codes.give(tx, row.id, address, n, digest=row.digest, expires_at=until)
        return n


def _destination(shown: OutboxRow) -> ThreadRef:
    to = json.loads(shown.payload)["to"]
    return ThreadRef(to["channel"], to["account"], to["key"])


def _code_for(shown: OutboxRow) -> str:
    return str(json.loads(shown.payload).get("code_for") or "")
