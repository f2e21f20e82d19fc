"""What waits for one person: App Home as their inbox, and the same as the answer to `/approvals`. Pure."""

from collections.abc import Sequence

from adapters.slack import card
from adapters.slack.parts import Block, button, preformatted, section, seen, time, words
from gateway.events import ApprovalView

COMMAND = "/approvals"
TURN = "approvals_page"  # a button whose value is the first request of the page it leads to

A_PAGE = 18  # of 5 blocks each: a view has 100
A_LIST = 8  # in an answer: a message has 50
MAX_ARGUMENTS = 300


def view(waiting: Sequence[ApprovalView], first: int = 0) -> Block:
    """The Home tab. `first`: with which of them the page begins."""
    first = first if 0 <= first < len(waiting) else 0
    page = waiting[first : first + A_PAGE]
    turns = [("Earlier", first - A_PAGE)] if first else []
    turns += [("More", first + A_PAGE)] if first + A_PAGE < len(waiting) else []
    buttons = [button(f"{TURN}:{label}", str(max(at, 0)), label) for label, at in turns]
    return {
        "type": "home",
        "blocks": [
            {"type": "header", "text": words("Waiting for your decision")},
            section(_count(len(waiting)), 300),
            *(block for asked in page for block in _item(asked)),
            *([{"type": "actions", "elements": buttons}] if buttons else []),
        ],
    }


def listed(waiting: Sequence[ApprovalView]) -> Block:
    """The answer to the command: `text` and `blocks`."""
    blocks = [section(_count(len(waiting)), 300), *(block for asked in waiting[:A_LIST] for block in _item(asked))]
    if len(waiting) > A_LIST:
        blocks.append(section("The rest is in the Home tab of this app.", 300))
    return {"text": _count(len(waiting)), "blocks": blocks}


def _count(many: int) -> str:
    if not many:
        return "Nothing waits for you. What needs your decision stands here whenever you open this tab."
    return "One request waits for you." if many == 1 else f"{many} requests wait for you, the first to expire first."


def _item(asked: ApprovalView) -> list[Block]:
    """It is approved where all of it is seen."""
    arguments = card.arguments(asked)
    rest = len(arguments) - MAX_ARGUMENTS
    cut = arguments if rest <= 0 else f"{arguments[:MAX_ARGUMENTS]}\n… {rest} more characters"
    votes = f"{len(asked.votes)} of {asked.required} approvals. " if asked.required > 1 else ""
    where = f"Asked on {asked.asked_in}, through the agent {seen(asked.agent, 100)}."
    until = f"{votes}{where} Expires {time(asked.expires_at)}."
    buttons = (
        button(card.OPEN, asked.id, "Open"),
        *([button(card.EDIT, asked.id, "Edit")] if asked.can_edit else []),
        button(card.DENY, asked.id, "Deny", style="danger"),
    )
    return [
        {"type": "divider"},
        section(card.question(asked), 300),
        preformatted(cut),
        {"type": "context", "elements": [words(until)]},
        card.deciding(asked, *buttons, among=asked.id),
    ]
