"""The tools with which an agent turns to a person: hand the conversation over, or ask and wait."""

from datetime import UTC, datetime

from sqlalchemy import insert, select

from adapters.agent.server.tables import handoffs
from adapters.agent.server.tools.call import Arguments, Call, Result

UNANSWERED = "UNANSWERED:"


async def human_handoff(call: Call, arguments: Arguments) -> Result:
    key = {"session_id": call.session_id, "tool_call_id": call.tool_call_id}
    said = {word: str(arguments.get(word, "")) for word in ("reason", "summary")}
    async with call.database.writing() as db:
        if await db.scalar(select(handoffs.c.reason).filter_by(**key)) is None:
            urgency = str(arguments.get("urgency") or "normal")[:20]
            await db.execute(insert(handoffs).values(**key, **said, urgency=urgency, created_at=datetime.now(UTC)))
    return {"status": "a colleague was notified; tell the customer so"}


async def ask_human(call: Call, arguments: Arguments) -> Result:
    """The answer is what the person who approved the call wrote into its hidden input."""
    answer = str(arguments.get("answer") or "").strip()
    return {"answer": answer} if answer else {"answer": "", "note": "a person agreed, and wrote no answer"}


def no_answer(reason: str) -> str:
    """What the agent is told when nobody answered its question, or somebody would not."""
    if reason.startswith(UNANSWERED):
        return f"No answer: nobody answered ({reason.removeprefix(UNANSWERED).strip() or 'in time'})."
    return f"No answer. The person would not say, and gave this reason: {reason}"
