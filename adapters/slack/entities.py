"""What a person typed in Slack, out of Slack's own writing of it. Pure: no network, no clock, no database.

https://docs.slack.dev/messaging/formatting-message-text#retrieving-messages
"""

import re

ENTITY = re.compile(r"<([^<>]*)>")
LINK = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
ADDRESS = re.compile(r"(?:mailto|tel):", re.IGNORECASE)


def plain(text: str, bot_user: str = "") -> str:
    """The words: no mention of the bot, other mentions by name or id, links as they lead, and decoded exactly once.

    Nothing in it is live when it is written back: a mention is `@U123`, which rings for nobody.
    """
    words = ENTITY.sub(lambda found: _written(found[0], found[1], bot_user), text)
    return words.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()


def _written(whole: str, inside: str, bot_user: str) -> str:
    what, _, label = inside.partition("|")
    label = label.strip()
    match what[:1]:
        case "@":
            return "" if bot_user and what[1:] == bot_user else _sigil("@", label or what[1:])
        case "#":
            return _sigil("#", label or what[1:])
        case "!":
            return _special(what[1:], label)
    return _link(what, label) if LINK.match(what) else whole


def _special(what: str, label: str) -> str:
    """`here`, `subteam^S123`, `date^1392734382^{date}`."""
    kind, _, rest = what.partition("^")
    if kind == "date":
        return label or rest.partition("^")[2].partition("^")[0]
    return _sigil("@", label or (rest if kind == "subteam" else kind))


def _link(url: str, label: str) -> str:
    """A label that passes for another address is left out."""
    address = ADDRESS.sub("", url)
    if not label or label == address or _looks_like_a_link(label):
        return address
    return f"{label} ({address})"


def _looks_like_a_link(label: str) -> bool:
    """One word with a scheme, or with a dot inside. No pattern: one of these would take minutes for a long label."""
    return len(label.split()) == 1 and ("://" in label[1:] or "." in label[1:-1])


def _sigil(sigil: str, name: str) -> str:
    return sigil + name.removeprefix(sigil)
