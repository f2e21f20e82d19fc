"""The life of some requests, step by step: what people, time, carriers and death may do to them, in any order.

What must hold is checked by `check` at any time, and by `check_the_end` when nothing is left to do.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

from gateway.errors import AgentUnavailable, TryLater, Uncertain
from gateway.events import Answer, Confirm, Deny, ShowOutcome, Verdict
from tests.helpers.agents import Call
from tests.helpers.approvers import OPS, PHONES, Team, in_slack, policy, with_token
from tests.helpers.clock import Clock
from tests.helpers.core import ALICE, BOB, Ends, opened

CUSTOMERS = (ALICE, BOB)
PEOPLE = ("ana", "ben", "cleo", "max")  # Max may not
REQUIRED = 2
SCHEMA = {"properties": {"order_id": {"type": "string"}, "amount": {"type": "number"}}}
FAULTS = {
    "slack sending": (TryLater("slow down"), Uncertain("no answer")),
    "slack taken": (Uncertain("the answer was lost"),),
    "sms sending": (TryLater("slow down"), Uncertain("no answer")),
    "sms taken": (Uncertain("the answer was lost"),),
    "answering": (AgentUnavailable("gone"),),
    "answered": (AgentUnavailable("the line was lost"),),
}
PLACES = ("reading", "answering", "answered", "hearing Replied", *(place for place in FAULTS if " " in place))


class Life:
    """One database, its processes one after the other, and everybody around it. Use it in one event loop."""

    def __init__(self, url: str, on_unanswered: str) -> None:
        self._url = url
        self._policy = policy(
            ask=[OPS, "sms:ana"],
            approvers=["ana", "ben", "cleo"],
            required=REQUIRED,
            remind_after=["1h"],
            escalate_after="2h",
            escalate_to=["slack:C0HEAD"],
            on_unanswered=on_unanswered,
        )
        self._clock = Clock()
        self._ends = Ends(self._clock)
        self._stack = contextlib.AsyncExitStack()
        self._dead: list[asyncio.Task[Any]] = []
        self._settled: dict[str, tuple[Any, ...]] = {}
        self._answers: list[Answer] = []
        self.team: Team

    async def begins(self) -> None:
        core = await self._stack.enter_async_context(
            opened(self._url, self._ends, self._clock, policy=self._policy, pool_size=2)
        )
        self.team = Team(core, self._ends, self._clock, self._answers)
        self.team.asks(Call(schema=SCHEMA), on="refund")

    async def ends(self) -> None:
        for task in self._dead:
            task.cancel()
        await asyncio.gather(*self._dead, return_exceptions=True)
        await self._ends.aclose()
        await self._stack.aclose()

    # --- what may happen -----------------------------------------------------------------------------------

    async def a_customer_asks(self, number: str) -> None:
        await self.team.core.receives(number, f"refund, {len(await self.team.core.rows('inbox'))}")

    async def somebody_decides(
        self, name: str, via: str, verdict: Verdict, which: int, *, seen: bool, twice: bool
    ) -> None:
        """`seen`: the arguments as they are; else as they were when the agent asked."""
        requests = await self.team.core.rows("approvals")
        row = requests[which % len(requests)]
        digest = row["digest"] if seen else "0" * 64
        if via == "sms":
            await self._texts(name, verdict, row["id"])
            return
        who = in_slack(name) if via == "slack" else with_token(name)
        door = self.team.core.door.approvals
        decisions = [door.decide(row["id"], who, verdict, via=via, digest=digest) for _ in range(1 + twice)]
        for decision in await asyncio.gather(*decisions):
            assert name != "max" or (decision.result, decision.approval) == ("not_allowed", None)
            assert seen or decision.result in ("changed", "already", "not_allowed")

    async def _texts(self, name: str, verdict: Verdict, approval_id: str) -> None:
        view = await self.team.sees(approval_id)
        try:
            code = self.team.code(name, view)
        except (IndexError, KeyError):  # no text went to them
            return
        words = f"{'YES' if verdict is Verdict.APPROVE else 'NO'} {code}"
        await self.team.core.receives(PHONES[name], words, f"{words} {len(await self.team.core.rows('inbox'))}")

    async def somebody_edits(self, name: str, which: int, amount: float) -> None:
        requests = await self.team.core.rows("approvals")
        row = requests[which % len(requests)]
        arguments, who = {"order_id": "A-1001", "amount": amount}, in_slack(name)
        door = self.team.core.door.approvals
        edited = await door.edit(row["id"], who, arguments, via="slack", digest=row["digest"])
        assert edited.result == (
            "not_allowed" if name == "max" else "already" if row["state"] != "pending" else "edited"
        )

    async def time_passes(self, time: timedelta) -> None:
        self._clock.passes(time)
        await self.team.core.work.sweep()

    def it_fails_at(self, place: str, which: int) -> None:
        faults = FAULTS[place]
        self._ends.steps.fails(place, faults[which % len(faults)])

    async def it_works(self) -> None:
        await self.team.works()

    async def it_is_left_at(self, place: str, *, dies: bool) -> None:
        """The process comes as far as there, if it does; then it is cut off, or dies. Another one takes over."""
        halt = self._ends.steps.stops_one_at(place)
        came = await self._first(halt.next(within_s=60), self.team.works())
        if came is not None and not dies:
            came.cancel()
            await asyncio.gather(came, return_exceptions=True)
        if came is not None and dies:
            self._dead.append(came)
        else:
            halt.open()  # also where nobody came: the next one must not wait there
        await self.begins()

    async def _first(self, there: Coroutine[Any, Any, str], doing: Coroutine[Any, Any, None]) -> Any:
        """What still runs when somebody has come there; None: it ended before."""
        running, waiting = asyncio.create_task(doing), asyncio.create_task(there)
        await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        if running.done():
            running.result()
            return None
        return running

    # --- what must hold ------------------------------------------------------------------------------------

    async def check(self) -> None:
        rows = {name: await self.team.core.rows(name) for name in ("approvals", "votes", "timers", "audit")}
        requests = {row["id"]: row for row in rows["approvals"]}
        people = [(vote["approval_id"], vote["person"]) for vote in rows["votes"]]
        assert len(people) == len(set(people)), "a person has one vote"
        assert {person for _, person in people} <= {"ana", "ben", "cleo"}
        ends = Counter(row["approval_id"] for row in rows["audit"] if row["what"] in ("decided", "expired"))
        assert set(ends.values()) <= {1}, "it is decided, or ends, once"
        for request in requests.values():
            await self._check(request, rows["votes"])
        still = {timer["subject"] for timer in rows["timers"] if timer["done_at"] is None}
        assert {requests[one]["state"] for one in still} <= {"pending"}, "what is settled rings no more"
        self._check_answers(rows["approvals"])

    async def _check(self, row: dict[str, Any], votes: list[dict[str, Any]]) -> None:
        state = tuple(row[word] for word in ("state", "decided_by", "decided_at", "arguments"))
        if row["state"] != "pending":
            assert self._settled.setdefault(row["id"], state) == state, "what is settled stays as it is"
        mine = [vote for vote in votes if vote["approval_id"] == row["id"]]
        yes = {vote["person"] for vote in mine if vote["verdict"] == "approve" and vote["digest"] == row["digest"]}
        assert row["state"] != "approved" or (len(yes) == REQUIRED and ", ".join(sorted(yes)) == _sorted(row))
        assert row["state"] != "denied" or any(vote["verdict"] == "deny" for vote in mine)
        assert row["state"] != "pending" or len(yes) < REQUIRED

    def _check_answers(self, requests: list[dict[str, Any]]) -> None:
        """Whatever was answered, and however often, is what was decided."""
        told = [one for session in self._ends.agents.sessions.values() for one in session.told]
        by_message = {row["request_message_id"]: row for row in requests}
        for message, said in told:
            row = by_message[message]
            assert isinstance(said, Confirm) == (row["state"] == "approved")
            assert not isinstance(said, Deny) or said.reason.startswith("UNANSWERED") == (row["state"] == "expired")
        assert len({message for message, _ in told}) >= len(self._answers)

    async def check_the_end(self) -> None:
        """Nothing fails any more, and time goes on: everything is settled, told to the agent, and shown."""
        self._ends.steps.forget_faults()
        for hours in (0, 1, 1, 22, 24, 24 * 6, 1, 1):
            await self.time_passes(timedelta(hours=hours, seconds=10))
            await self.team.works()
        await self.check()
        for row in await self.team.core.rows("approvals"):
            assert row["state"] != "pending"
            assert row["applied"] != bool(row["trouble"]), "the agent has the answer, or everybody is told that not"
            await self._check_shown(row)
        given = Counter(message for session in self._ends.agents.sessions.values() for message, _ in session.told)
        assert len(given) == len(self._answers) == sum(row["applied"] for row in await self.team.core.rows("approvals"))

    async def _check_shown(self, row: dict[str, Any]) -> None:
        """Each place where it was asked says last what became of it."""
        taken = [one.message for one in (*self._ends.slack.taken, *self._ends.sms.taken)]
        for ask in await self.team.core.rows("outbox"):
            if ask["kind"] != "ask" or ask["approval_id"] != row["id"] or ask["provider_id"] is None:
                continue
            changes = [one for one in taken if isinstance(one, ShowOutcome) and one.receipt is not None]
            mine = [one.approval for one in changes if one.receipt and one.receipt.provider_id == ask["provider_id"]]
            if not mine and row["decided_via"] == "sms":
                # Whoever decided by text has it as the answer to their own text, and no second one.
                number, said = ask["lane"].rpartition(":")[2], f"{row['state'].capitalize()}: {row['tool']}. By "
                assert PHONES[row["decided_by"].rpartition(", ")[2]] == number
                assert [text for text in self._ends.sms.told(number) if text.startswith(said)]
                continue
            assert mine, f"{ask['lane']} never said what became of it"
            assert mine[-1].state.value == row["state"]


def _sorted(row: dict[str, Any]) -> str:
    return ", ".join(sorted(row["decided_by"].split(", ")))
