"""Slack's word that somebody edited or deleted a message -> that message. Pure: no network, no clock, no database.

https://docs.slack.dev/reference/events/message/message_changed, .../message_deleted
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from adapters.slack import inbound
from gateway.events import MessageReceived


def edited(body: Mapping[str, Any]) -> MessageReceived | None:
    """The message as its author has it now. None: it is no edit, such as when Slack unfurls a link."""
    event = _event(body, "message_changed")
    message = _mapping(event, "message")
    by = _mapping(message, "edited")
    if not by or by.get("user") != message.get("user"):
        return None
    found = _read(body, event, message)
    version = by.get("ts")
    return replace(found, version=version) if found and isinstance(version, str) else None


def deleted(body: Mapping[str, Any]) -> MessageReceived | None:
    """The message as it was. One that others have replied to stays in Slack as a tombstone."""
    event = _event(body, "message_deleted")
    changed = _event(body, "message_changed")
    if _mapping(changed, "message").get("subtype") == "tombstone":
        event = changed
    return _read(body, event, _mapping(event, "previous_message"))


def _read(body: Mapping[str, Any], event: Mapping[str, Any], message: Mapping[str, Any]) -> MessageReceived | None:
    # Whether it is addressed to us was found out when it came: then there is a row for it, or there is none.
    return inbound.read({**body, "event": {**message, "type": "app_mention", "channel": event.get("channel")}})


def _event(body: Mapping[str, Any], subtype: str) -> Mapping[str, Any]:
    event = _mapping(body, "event") if body.get("type") == "event_callback" else {}
    return event if event.get("type") == "message" and event.get("subtype") == subtype else {}


def _mapping(where: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = where.get(name)
    return value if isinstance(value, Mapping) else {}
