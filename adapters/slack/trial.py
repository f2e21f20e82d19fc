"""The card of `gateway people check --send`, of the same parts as a request's: one button, decides nothing. Pure."""

from adapters.slack.parts import Block, button, section, words

SEEN = "people_check_seen"
TITLE = "A test of Gatehouse's approvals"
TEXT = "It decides nothing. Please press the button, to show that a card reaches you and your click reaches us."


def blocks(check_id: int) -> list[Block]:
    seen = button(SEEN, str(check_id), "I see this", style="primary")
    return [
        {"type": "header", "text": words(TITLE)},
        section(TEXT, 200),
        {"type": "actions", "elements": [seen]},
    ]
