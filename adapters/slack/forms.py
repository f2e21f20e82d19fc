"""What opens over Slack: why something is denied, and a request in full. Pure."""

import json
from collections.abc import Sequence

from adapters.slack import card
from adapters.slack.parts import Block, paragraph, preformatted, section, seen, time, visible, words
from gateway.events import ApprovalView, Spoken

DENY_FORM, REASON = "approval_deny_form", "reason"

MAX_PAGE = 2_900  # of one block
MAX_WHOLE = 200_000  # as JSON: Slack takes a view of 250 kB ...
MAX_PAGES = 94  # ... and of 100 blocks, some of which say who asks, and what was said
MAX_SAID = 2_000
MOST_NOTES = 6
MAX_MESSAGE, MAX_AUTHOR = 400, 60  # all of them fit into one block of 3,000
NOT_TOLD = "There is nothing more to read, so it cannot be approved here."
TOO_LONG = "This is not all of it: it is too long for Slack. Decide with `gateway approvals`, or deny it."


def deny(asked: ApprovalView) -> Block:
    """Asks for the reason of a denial."""
    field = {"type": "plain_text_input", "action_id": REASON, "multiline": True, "max_length": 1000}
    block = {
        "type": "input",
        "block_id": REASON,
        "optional": not asked.reason_required,
        "label": words("Why? The agent is told, and may tell the customer."),
        "element": field,
    }
    what = section(f"{asked.tool} {card.arguments(asked)[:300]}", MAX_SAID)
    about = {"callback_id": DENY_FORM, "private_metadata": f"{asked.id} {asked.digest[: card.DIGEST_CHARS]}"}
    return _modal("Deny this request", what, block, submit=words("Deny"), close=words("Back"), **about)


def whole(asked: ApprovalView) -> Block:
    """All of a request, with what was said around it, and the button that approves it.

    Where it does not fit, its beginning without the button.
    """
    fits, text = shows_whole(asked), card.arguments(asked)
    pages = _pages(text if fits else seen(text, MAX_PAGE))
    why_not = NOT_TOLD if asked.arguments is None else TOO_LONG
    end = card.deciding(asked, card.approve(asked)) if fits else section(why_not, MAX_SAID)
    blocks = [
        section(card.question(asked), MAX_PAGE),
        *card.origin(asked),
        *_talk("Said last", asked.recent),
        *pages,
        *_talk("Notes beside the card", asked.notes[-MOST_NOTES:], asked.notes[:-MOST_NOTES]),
        end,
    ]
    return _modal("The whole request", *blocks, close=words("Close"))


def shows_whole(asked: ApprovalView) -> bool:
    """Nothing is cut off in the form."""
    title, written = visible(card.question(asked)), card.arguments(asked)
    fits = len(title) <= MAX_PAGE and len(json.dumps(written)) <= MAX_WHOLE and len(_pages(written)) <= MAX_PAGES
    return asked.arguments is not None and fits


def told(text: str) -> Block:
    """What came of a button in a form."""
    return _modal("The whole request", section(text, MAX_SAID), close=words("Close"))


def _talk(head: str, said: Sequence[Spoken], left_out: Sequence[Spoken] = ()) -> list[Block]:
    """Who said what, each from a line of its own on. Later lines are indented, so that none passes for another's."""
    lines = [
        (f"\n{seen(one.by, MAX_AUTHOR)}, {time(one.at)}: ", seen(one.text.replace("\n", "\n    "), MAX_MESSAGE))
        for one in said
    ]
    more = [("", f"\n({len(left_out)} earlier: see `gateway approvals show`)")] if left_out else []
    return [paragraph((head, ""), *lines, *more)] if lines else []


def _pages(text: str) -> list[Block]:
    """A text over as many blocks as it needs. Within a line, a block says that it goes on."""
    pages, page = [], ""
    for line in _pieces(text):
        if len(page) + len(line) > MAX_PAGE:
            pages.append(page)
            page = ""
        page += line
    return [preformatted(one.rstrip("\n") or " ") for one in [*pages, page]]


def _pieces(text: str) -> list[str]:
    """Lines; a very long one in parts, none of which passes for the beginning of another line."""
    most = MAX_PAGE - 4
    found = []
    for line in text.splitlines(keepends=True) or [""]:
        parts = [line[at : at + most] for at in range(0, len(line), most)] or [line]
        found += [f"{'… ' if at else ''}{part}{' …' if at < len(parts) - 1 else ''}" for at, part in enumerate(parts)]
    return found


def _modal(title: str, *blocks: Block, **more: object) -> Block:
    return {"type": "modal", "title": words(title), "blocks": list(blocks), **more}
