"""Slack's limits on blocks and views, as it enforces them. Pure."""

import json
import secrets
from typing import Any

from adapters.sandbox.errors import SlackSaysNo

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
HIDDEN_TOTAL = 13_200  # of a message, undocumented: beyond it Slack answers msg_blocks_too_long
VIEW_TOTAL = 250_000  # of a view as JSON
MARKDOWN_TOTAL = 12_000
KNOWN = {
    "actions",
    "context",
    "context_actions",
    "divider",
    "header",
    "image",
    "input",
    "markdown",
    "rich_text",
    "section",
    "table",
    "video",
}


class _Wrong(Exception):
    pass


def check_blocks(blocks: Any) -> None:
    """Raises `SlackSaysNo("invalid_blocks")` with the place and the reason."""
    _check_each(blocks, MESSAGE_BLOCKS)
    if _characters(blocks) > HIDDEN_TOTAL:
        raise SlackSaysNo("msg_blocks_too_long")


def _check_each(blocks: Any, most: int) -> None:
    if not isinstance(blocks, list):
        raise SlackSaysNo("invalid_blocks_format")
    try:
        _at_most(len(blocks), most, "blocks")
        for index, block in enumerate(blocks):
            _check_block(block, f"/blocks/{index}")
        _check_unique([block["block_id"] for block in blocks if "block_id" in block], "block_id")
        markdown = sum(len(block["text"]) for block in blocks if block["type"] == "markdown")
        _at_most(markdown, MARKDOWN_TOTAL, "characters in markdown blocks")
    except _Wrong as wrong:
        raise SlackSaysNo("invalid_blocks", f"[ERROR] {wrong}") from None
    except (KeyError, TypeError, AttributeError) as broken:
        raise SlackSaysNo("invalid_blocks", f"[ERROR] missing or odd: {broken}") from None


def check_home(view: Any) -> None:
    """What `views.publish` takes: no title, and nothing to submit."""
    if not isinstance(view, dict) or view.get("type") != "home":
        raise SlackSaysNo("invalid_arguments", "[ERROR] must be a view of type home")
    _check_each(view.get("blocks"), VIEW_BLOCKS)
    if len(json.dumps(view)) > VIEW_TOTAL or {"title", "submit", "close"} & set(view):
        raise SlackSaysNo("invalid_arguments", "[ERROR] too large, or a field that only a modal has")


def check_view(view: Any) -> None:
    if not isinstance(view, dict) or view.get("type") != "modal":
        raise SlackSaysNo("invalid_arguments", "[ERROR] must be a view of type modal")
    _check_each(view.get("blocks"), VIEW_BLOCKS)
    try:
        _at_most(len(json.dumps(view)), VIEW_TOTAL, "characters in a view")
        _check_text(view.get("title"), 24, "/title", "plain_text")
        for name in ("submit", "close"):
            if view.get(name) is not None:
                _check_text(view[name], 24, f"/{name}", "plain_text")
        _at_most(len(view.get("private_metadata") or ""), 3000, "characters in private_metadata")
        _at_most(len(view.get("callback_id") or ""), 255, "characters in callback_id")
        if view.get("submit") is None and any(block["type"] == "input" for block in view["blocks"]):
            raise _Wrong("a view with input blocks needs submit")
    except _Wrong as wrong:
        raise SlackSaysNo("invalid_arguments", f"[ERROR] {wrong}") from None


def with_block_ids(blocks: list[Any]) -> list[Any]:
    """Slack names the blocks nobody named."""
    return [block | {"block_id": block.get("block_id") or secrets.token_hex(3)} for block in blocks]


def _check_block(block: Any, at: str) -> None:
    if block["type"] not in KNOWN:
        raise _Wrong(f"unsupported type: {block['type']} [json-pointer:{at}/type]")
    _at_most(len(block.get("block_id", "")), 255, f"characters [json-pointer:{at}/block_id]")
    match block["type"]:
        case "header":
            _check_text(block["text"], 150, f"{at}/text", "plain_text")
        case "section":
            _check_section(block, at)
        case "actions":
            _at_most(len(block["elements"]), 25, f"elements [json-pointer:{at}/elements]")
            for index, element in enumerate(block["elements"]):
                _check_element(element, f"{at}/elements/{index}")
            _check_unique([one["action_id"] for one in block["elements"] if "action_id" in one], "action_id")
        case "context":
            _at_most(len(block["elements"]), 10, f"elements [json-pointer:{at}/elements]")
            for index, element in enumerate(block["elements"]):
                if element["type"] != "image":
                    _check_text(element, 3000, f"{at}/elements/{index}")
        case "rich_text":
            _check_rich_text(block, at)
        case "input":
            _check_text(block["label"], 2000, f"{at}/label", "plain_text")
            _check_element(block["element"], f"{at}/element")
        case "markdown" if not block["text"]:
            raise _Wrong(f"must be more than 0 characters [json-pointer:{at}/text]")


def _check_rich_text(node: Any, at: str) -> None:
    for index, element in enumerate(node["elements"]):
        if "elements" in element:
            _check_rich_text(element, f"{at}/elements/{index}")
        elif element["type"] == "text" and not element["text"]:
            raise _Wrong(f"must be more than 0 characters [json-pointer:{at}/elements/{index}/text]")


def _check_section(block: Any, at: str) -> None:
    if "text" not in block and "fields" not in block:
        raise _Wrong(f"missing required field: text or fields [json-pointer:{at}]")
    if "text" in block:
        _check_text(block["text"], 3000, f"{at}/text")
    fields = block.get("fields") or []
    _at_most(len(fields), 10, f"fields [json-pointer:{at}/fields]")
    for index, field in enumerate(fields):
        _check_text(field, 2000, f"{at}/fields/{index}")
    if "accessory" in block:
        _check_element(block["accessory"], f"{at}/accessory")


def _check_element(element: Any, at: str) -> None:
    _at_most(len(element.get("action_id", "")), 255, f"characters [json-pointer:{at}/action_id]")
    if element["type"] != "button":
        return
    _check_text(element["text"], 75, f"{at}/text", "plain_text")
    _at_most(len(element.get("value", "")), 2000, f"characters [json-pointer:{at}/value]")
    _at_most(len(element.get("url", "")), 3000, f"characters [json-pointer:{at}/url]")
    if element.get("style", "primary") not in {"primary", "danger"}:
        raise _Wrong(f"style is primary or danger [json-pointer:{at}/style]")
    if confirm := element.get("confirm"):
        _check_text(confirm["text"], 300, f"{at}/confirm/text")
        for name, most in (("title", 100), ("confirm", 30), ("deny", 30)):
            _check_text(confirm[name], most, f"{at}/confirm/{name}", "plain_text")


def _check_text(text: Any, most: int, at: str, kind: str | None = None) -> None:
    if not isinstance(text, dict) or text.get("type") not in ({kind} if kind else {"plain_text", "mrkdwn"}):
        raise _Wrong(f"must be a {kind or 'text'} object [json-pointer:{at}]")
    if not text.get("text"):
        raise _Wrong(f"must be more than 0 characters [json-pointer:{at}/text]")
    _at_most(len(text["text"]), most, f"characters [json-pointer:{at}/text]")


def _at_most(count: int, most: int, what: str) -> None:
    if count > most:
        raise _Wrong(f"no more than {most} {what}")


def _check_unique(names: list[str], what: str) -> None:
    if len(set(names)) < len(names):
        raise _Wrong(f"{what} already exists")


def _characters(node: Any) -> int:
    """All text in it, as a person would read it."""
    if isinstance(node, list):
        return sum(_characters(one) for one in node)
    if not isinstance(node, dict):
        return 0
    own = len(node["text"]) if isinstance(node.get("text"), str) else 0
    return own + sum(_characters(value) for value in node.values())
