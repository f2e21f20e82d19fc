"""What the offline model understands and what it says. Pure; docs/offline-agent.md is its table."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.agent.server import functional_prompt
from adapters.agent.server.samples import ORDERS

UNANSWERED = "UNANSWERED:"
NO_REASON = "Denied without a reason."  # what the gateway says where nobody gave one
MAX_QUOTED = 200
NAME = r"\b[Mm]y name is ([\w'-]+)"
CITY = r"\b[Ii] live in ([\w'-]+(?: [A-Z][\w'-]+)*)"
HEADER = re.compile(
    r"\A<sender(?:\s+[\w-]+=\"[^\"]*\")*\s*/>\r?\n?"
    r"(?:\[Not delivered: [^\n]*(?:\n|\Z))*(?:<transcript\b.*?</transcript>\n?)?",
    re.S,
)
ORDER = re.compile(r"\b([a-z]-\d{3,6})\b", re.I)
FIGURE = r"((?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)"
AMOUNT = re.compile(rf"\$\s*{FIGURE}|\b{FIGURE}\s*(?:dollars?|usd)\b", re.I)
NUMBER_WORDS = """one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen twenty"""
NUMBERS = NUMBER_WORDS.split()


@dataclass(frozen=True, slots=True)
class ToolUse:
    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Use:
    calls: tuple[ToolUse, ...]


@dataclass(frozen=True, slots=True)
class Think:
    text: str


@dataclass(frozen=True, slots=True)
class Search:
    query: str


@dataclass(frozen=True, slots=True)
class Slowly:
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fail:
    pass


Plan = str | Use | Think | Search | Slowly | Fail
"""One thing to do; a str is said."""


def unheaded(text: str) -> str:
    """The customer's own words, without the line the gateway puts before them."""
    return HEADER.sub("", text, count=1)


def plan(said: Sequence[str], files: Sequence[str] = ()) -> Sequence[Plan]:
    """What to do about the last thing said, in order. `said` is all of it, oldest first."""
    text = said[-1].strip() if said else ""
    if functional := functional_prompt.read(text):
        return [_outputs(*functional)]
    for pattern, answer in ANSWERS:
        if match := re.search(pattern, text, re.I):
            return answer(match, text, said, files)
    return [_repeated(text)] if text or not files else [_file_answer(files)]


def _outputs(inputs: Mapping[str, Any], outputs: Sequence[str]) -> str:
    """Of a functional agent: each output is one sentence that names the inputs."""
    named = [f"{name} ({_short(value)})" if value else name for name, value in inputs.items()]
    made_of = " and ".join(filter(None, (", ".join(named[:-1]), *named[-1:]))) or "no inputs"
    return json.dumps({output: f"This is {output}, made from {made_of}." for output in outputs}, ensure_ascii=False)


def _short(value: Any) -> str:
    words = " ".join((value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).split())
    return words if len(words) <= MAX_QUOTED else f"{words[:MAX_QUOTED]}..."


def _repeated(text: str) -> str:
    if not text:
        return "There was nothing in your message. What can I do for you?"
    return f'You asked: "{text}"' if text.endswith((".", "!", "?")) else f'You asked: "{text}".'


def _fail(match: re.Match[str], text: str, said: Sequence[str], files: Sequence[str]) -> Sequence[Plan]:
    return [Fail()]


def _count(match: re.Match[str], text: str, said: Sequence[str], files: Sequence[str]) -> Sequence[Plan]:
    last = min(int(match[1]), 200)
    words = [NUMBERS[n] if n < len(NUMBERS) else str(n + 1) for n in range(last)]
    return [Slowly(tuple(word if at == 0 else f" {word}" for at, word in enumerate(words)))]


def _think(match: re.Match[str], text: str, said: Sequence[str], files: Sequence[str]) -> Sequence[Plan]:
    return [Think("First I look at what was asked, then at what I know."), f"I thought about it. {_repeated(text)}"]


def _search(match: re.Match[str], text: str, said: Sequence[str], files: Sequence[str]) -> Sequence[Plan]:
    query = match[1].strip(" .!?\"'")
    return [Search(query), f"I searched the web for {query} and found one page: All about {query}."]


def _recall(match: re.Match[str], text: str, said: Sequence[str], files: Sequence[str]) -> Sequence[Plan]:
    earlier = "\n".join(said[:-1])
    name, city = _last(NAME, earlier), _last(CITY, earlier)
    facts = [f"your name is {name}"] if name else []
    facts += [f"you live in {city}"] if city else []
    if not facts:
        return ["You have not told me anything about yourself yet."]
    return [f"You told me that {' and '.join(facts)}."]


def _introduced(match: re.Match[str], text: str, said: Sequence[str], files: Sequence[str]) -> Sequence[Plan]:
    city = _last(CITY, text)
    return [f"Nice to meet you, {match[1]} from {city}." if city else f"Nice to meet you, {match[1]}."]


def _last(pattern: str, text: str) -> str:
    found = re.findall(pattern, text)
    return str(found[-1]).strip() if found else ""


def _refund(match: re.Match[str], text: str, said: Sequence[str], files: Sequence[str]) -> Sequence[Plan]:
    named = list(ORDER.finditer(text))
    if not named:
        return ["Which order is it about, and how much should come back?"]
    ends = [order.start() for order in named[1:]] + [len(text)]
    calls = [
        _one_refund(order[1].upper(), text[order.end() : end], text) for order, end in zip(named, ends, strict=True)
    ]
    return [Use(tuple(calls))]


def _one_refund(order_id: str, after: str, text: str) -> ToolUse:
    found = AMOUNT.search(after) or AMOUNT.search(text)
    known = ORDERS.get(order_id)
    amount = float((found[1] or found[2]).replace(",", "")) if found else known.total if known else 0.0
    because = re.search(r"\bbecause\s+(.+?)[.!?]*$", text, re.I | re.S)
    reason = because[1] if because else "the customer asked for it"
    return ToolUse(
        "issue_refund",
        {"order_id": order_id, "amount": int(amount) if amount == int(amount) else amount, "reason": reason},
    )


def _order(match: re.Match[str], text: str, said: Sequence[str], files: Sequence[str]) -> Sequence[Plan]:
    return [Use((ToolUse("lookup_order", {"order_id": match[1].upper()}),))]


def _address(match: re.Match[str], text: str, said: Sequence[str], files: Sequence[str]) -> Sequence[Plan]:
    address = match[1].strip().rstrip(".!")
    # The tool itself knows whether the address is new, and then asks whatever is said here.
    return [Use((ToolUse("update_address", {"address": address, "ask_for_approval": False}),))]


def _knowledge(match: re.Match[str], text: str, said: Sequence[str], files: Sequence[str]) -> Sequence[Plan]:
    return [Use((ToolUse("search_knowledge", {"query": text}),))]


def _file(match: re.Match[str], text: str, said: Sequence[str], files: Sequence[str]) -> Sequence[Plan]:
    return [_file_answer(files)]


def _file_answer(files: Sequence[str]) -> str:
    if not files:
        return "I see no attached file."
    readable = [file for file in files if file]
    return "The file says: " + "\n".join(readable) if readable else "I can only read text files."


def _handoff(match: re.Match[str], text: str, said: Sequence[str], files: Sequence[str]) -> Sequence[Plan]:
    summary = said[-2].strip() if len(said) > 1 else text
    arguments = {"reason": "the customer asked for a person", "summary": summary, "urgency": "normal"}
    return [Use((ToolUse("human_handoff", arguments),))]


# First match wins.
ANSWERS = (
    (r"\bplease fail\b", _fail),
    (r"\bcount (?:slowly )?(?:up )?to (\d{1,4})\b", _count),
    (r"\bthink about (?:it|this|that)\b", _think),
    (r"\bsearch (?:the )?(?:web|internet) for (.+)", _search),
    (r"\bwhat (?:did I|have I) (?:just )?(?:tell|told) you about (?:me|myself)\b", _recall),
    (NAME, _introduced),
    (
        r"\b(?:talk|speak) (?:to|with) (?:a |an |some)?(?:real )?(?:person|human|colleague|somebody|someone|agent)",
        _handoff,
    ),
    (r"\b(?:policy|policies)\b", _knowledge),
    (r"\b(?:refund|money back)\b", _refund),
    (r"\border\s*#?\s*([a-z]-\d{3,6})\b", _order),
    (r"\b(?:change|update) my address to (.+)", _address),
    (r"\battach(?:ed|ment)|\bin the file\b", _file),
    (r"\bwhat (?:is|are) (?:your|the) (?:\w+ )?(?:warranty|shipping|opening|hours|fees?|terms)\b", _knowledge),
    (r"\bdo you (?:have|ship|offer|accept|sell)\b|\bwhen are you open\b", _knowledge),
)


def done(tool: str, result: Mapping[str, Any]) -> str:
    """What is said about a tool that ran, from its result: it may differ from what was asked for."""
    match tool:
        case "issue_refund":
            return f"I refunded {_money(result.get('amount'))} for order {result.get('order_id')}."
        case "lookup_order":
            return f"Order {result.get('order_id')} ({result.get('item')}) {result.get('status')}."
        case "update_address":
            return f"Your address is now {result.get('address')}."
        case "human_handoff":
            return "A colleague was notified and will take over from here."
        case "search_knowledge":
            documents = result.get("documents")
            if not documents:
                return "I do not know: our documents say nothing about that."
            return f"{documents[0]['title']}: {documents[0]['text']}"
        case _:
            return f"{tool} answered: {dict(result)}."


def denied(tool: str, reason: str) -> str:
    deed = {"issue_refund": "the refund", "update_address": "the change of your address"}.get(tool, "that")
    if reason.startswith(UNANSWERED):
        return f"I am sorry: nobody could decide about {deed} in time, so nothing was done."
    if reason == NO_REASON:
        return f"I am sorry: {deed} was not approved."
    return f"I am sorry: {deed} was not approved. The reason given: {reason.rstrip('.')}."


def _money(amount: Any) -> str:
    if isinstance(amount, int | float):
        return f"${int(amount)}" if amount == int(amount) else f"${amount:.2f}"
    return f"${amount}"
