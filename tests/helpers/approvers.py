"""A team that decides, on every surface, under a policy of a test's own; and a gateway that works when told to."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Literal

from gateway.events import (
    Answer,
    ApprovalView,
    AskApproval,
    Confirm,
    Identity,
    Proof,
    Remind,
    ShowOutcome,
    Verdict,
)
from gateway.policy import TOKEN
from gateway.ports import Decision
from tests.helpers.agents import Act, AgentTurn, Call
from tests.helpers.clock import Clock
from tests.helpers.core import ALICE, Core, Ends

NAMES = ("ana", "ben", "cleo")
CROWD = tuple(f"p{n}" for n in range(100))
PHONES = {name: f"+1555000{n:04d}" for n, name in enumerate((*NAMES, *CROWD), 9001)}
APPROVE, DENY = Verdict.APPROVE, Verdict.DENY
OPS = "slack:C0OPS"


def policy(*, more: str = "", names: Sequence[str] = NAMES, **words: Any) -> str:
    """One route for texts, these people on every surface, and these words for every tool."""
    people = "\n".join(f'[people.{name}]\nslack = "U0{name.upper()}"\nsms = "{PHONES[name]}"\n' for name in names)
    default = {"ask": [OPS], "approvers": ["ana"], "expires_after": "24h"} | words
    rule = "\n".join(f"{word} = {json.dumps(value)}" for word, value in default.items())
    route = '[[routes]]\nchannel = "sms"\nagent = "support"\n'
    return f'{route}{people}[approvals.default]\n{rule}\n{more}\n[operations]\nalerts = ["slack:C0ALERTS"]\n'


def crowd() -> str:
    """A hundred people, each of whom may decide; every third has it by text."""
    return policy(names=CROWD, approvers=CROWD, ask=[OPS, *(f"sms:{name}" for name in CROWD[::3])])


def in_slack(name: str) -> Identity:
    return Identity(channel="slack", account="T0TEAM", address=f"U0{name.upper()}", proof=Proof.PLATFORM)


def with_token(name: str) -> Identity:
    return Identity(channel=TOKEN, address=name, proof=Proof.PLATFORM)


@dataclass(frozen=True, slots=True)
class Ballot:
    """`words`: a text with a code instead of a click or a call."""

    name: str
    approval_id: str
    via: Literal["slack", "api", "sms"]
    verdict: str
    digest: str
    words: str = ""


async def decide_all(core: Core, ballots: Sequence[Ballot]) -> list[tuple[str, str, str]]:
    """Everybody at once. Of those who click or call: who, the result, and who had decided."""

    async def one(ballot: Ballot) -> list[tuple[str, str, str]]:
        if ballot.via == "sms":
            await core.receives(PHONES[ballot.name], ballot.words)
            return []
        who = in_slack(ballot.name) if ballot.via == "slack" else with_token(ballot.name)
        decision = await core.door.approvals.decide(
            ballot.approval_id, who, Verdict(ballot.verdict), via=ballot.via, digest=ballot.digest
        )
        return [(ballot.name, decision.result, decision.approval.decided_by if decision.approval else "")]

    return [told for each in await asyncio.gather(*map(one, ballots)) for told in each]


@dataclass(frozen=True, slots=True)
class Team:
    """A process that does what is due when `works` is called, and the people around it."""

    core: Core
    ends: Ends
    clock: Clock
    answers: list[Answer] = field(default_factory=list)  # what the agent was told, in order

    def over(self, core: Core) -> "Team":
        """The same people, with another process."""
        return replace(self, core=core)

    def asks(self, *calls: Call, on: str = "refund") -> None:
        """The agent asks for all of these at once, and says what came of it."""
        self.ends.agents.does(self._act(calls), on=on)

    def _act(self, calls: Sequence[Call]) -> Act:
        async def act(turn: AgentTurn) -> None:
            said = await turn.asks_all(*calls)
            self.answers.extend(said)
            turn.replies("; ".join("ran" if isinstance(one, Confirm) else f"not run: {one.reason}" for one in said))

        return act

    async def asked(self, *calls: Call, number: str = ALICE, seen_by: str = "ana") -> list[ApprovalView]:
        """A customer asks for something that needs a colleague's word: the requests, as the API shows them."""
        self.asks(*(calls or (Call(),)))
        before = {row["id"] for row in await self.core.rows("approvals")}
        await self.core.receives(number, f"refund, {len(before)}")
        await self.works()
        rows = [row for row in await self.core.rows("approvals") if row["id"] not in before]
        return [await self.sees(row["id"], seen_by) for row in rows]

    async def sees(self, approval_id: str, name: str = "ana") -> ApprovalView:
        found = await self.core.door.approvals.read(approval_id, with_token(name))
        assert found.approval is not None, found
        return found.approval

    # --- what people do ------------------------------------------------------------------------------------

    async def clicks(self, name: str, card: ApprovalView, verdict: Verdict = APPROVE, **more: str) -> Decision:
        """On the card as it was when they read it."""
        return await self.decides(in_slack(name), "slack", card, verdict, **more)

    async def calls(self, name: str, card: ApprovalView, verdict: Verdict = APPROVE, **more: str) -> Decision:
        """Over the API, with their token."""
        return await self.decides(with_token(name), "api", card, verdict, **more)

    async def decides(
        self, who: Identity, via: str, card: ApprovalView, verdict: Verdict = APPROVE, **more: str
    ) -> Decision:
        return await self.core.door.approvals.decide(card.id, who, verdict, via=via, **{"digest": card.digest, **more})

    async def edits(self, name: str, card: ApprovalView, arguments: dict[str, Any]) -> Decision:
        who, digest = in_slack(name), card.digest
        return await self.core.door.approvals.edit(card.id, who, arguments, via="slack", digest=digest)

    async def texts(self, name: str, words: str) -> str:
        """What they are answered."""
        number = PHONES[name]
        before = len(self.ends.sms.told(number))
        await self.core.receives(number, words, f"{number} {before} {words}")
        await self.works()
        return "\n".join(self.ends.sms.told(number)[before:])

    def code(self, name: str, card: ApprovalView) -> str:
        """The last that was sent to them for this request."""
        return self.code_at(PHONES[name], card)

    def code_at(self, number: str, card: ApprovalView) -> str:
        sent = [one.message for one in self.ends.sms.taken if isinstance(one.message, AskApproval | Remind)]
        return [one.code for one in sent if one.to.key == number and one.approval.id == card.id][-1]

    # --- what is seen --------------------------------------------------------------------------------------

    def shows(self, card: ApprovalView, channel: str = "slack") -> list[ApprovalView]:
        """What the surfaces of a channel were changed to, in order."""
        taken = (one.message for one in getattr(self.ends, channel).taken)
        return [one.approval for one in taken if isinstance(one, ShowOutcome) and one.approval.id == card.id]

    async def states(self) -> list[str]:
        return [row["state"] for row in await self.core.rows("approvals")]

    async def audited(self, what: str) -> int:
        return [row["what"] for row in await self.core.rows("audit")].count(what)

    # --- time ----------------------------------------------------------------------------------------------

    async def works(self) -> None:
        """All that is due is done: lanes, and what waits to be sent."""
        before = None
        while (now := await self._standing()) != before:
            before = now
            for conversation in {row[1] for row in now if row[0] == "in" and row[1] is not None}:
                await self.core.drain(conversation, control=True)
                await self.core.drain(conversation)
            await asyncio.gather(*(self.core.work.deliver(lane) for lane in {row[1] for row in now if row[0] == "out"}))

    async def _standing(self) -> set[Any]:
        inbox = [row for row in await self.core.rows("inbox") if row["status"] == "new"]
        outbox = [row for row in await self.core.rows("outbox") if row["status"] in ("queued", "sending", "unknown")]
        return {("in", row["conversation_id"], row["id"], row["attempts"], row["held"]) for row in inbox} | {
            ("out", row["lane"], row["id"], row["status"], row["attempts"]) for row in outbox
        }

    async def after(self, time: timedelta) -> None:
        """So much later, with the sweep and what it woke."""
        self.clock.passes(time)
        await self.core.work.sweep()
        await self.works()
