"""The bodies Slack sends for what people do. Pure: values in, dicts out."""

from typing import Any

from adapters.sandbox import cast
from adapters.sandbox.errors import NotAllowedByClient, NotInSandbox
from adapters.sandbox.slack_chat import as_message
from adapters.sandbox.state import Thing

# The verification token Slack still sends beside the signature; nothing may rely on it.
LEGACY_TOKEN = "sandbox-legacy-token"  # noqa: S105
CHOICES = {"static_select", "radio_buttons"}


def find_button(blocks: list[Thing], action_id: str, block_id: str = "") -> tuple[Thing, str]:
    """The first button with this action id (in this block, if given), and its block's id. Raises `NotInSandbox`."""
    for block in blocks:
        if block_id and block.get("block_id") != block_id:
            continue
        candidates = block.get("elements") if block["type"] == "actions" else [block.get("accessory")]
        for element in candidates or []:
            if element and element.get("type") == "button" and element.get("action_id") == action_id:
                return element, block["block_id"]
    raise NotInSandbox(f"There is no button with the action id {action_id!r} there.")


def action(button: Thing, block_id: str, action_ts: str) -> Thing:
    kept = {name: button[name] for name in ("action_id", "text", "value", "style") if name in button}
    return {"type": "button", "block_id": block_id, "action_ts": action_ts} | kept


def block_actions(user: str, action: Thing, trigger: str, *, where: Thing) -> Thing:
    """`where` says what the button belonged to: see `in_message` and `in_view`."""
    return _envelope("block_actions", user, trigger) | {"actions": [action]} | where


def in_message(message: Thing, *, ephemeral: bool, response_url: str) -> Thing:
    channel = cast.CHANNELS[message["channel"]]
    container = {
        "type": "message",
        "message_ts": message["ts"],
        "channel_id": channel.id,
        "is_ephemeral": ephemeral,
    }
    if message.get("thread_ts"):
        container["thread_ts"] = message["thread_ts"]
    where: Thing = {
        "container": container,
        "channel": {"id": channel.id, "name": channel.name},
        "state": {"values": {}},
        "response_url": response_url,
    }
    # Slack leaves the message out of clicks on ephemeral ones.
    return where if ephemeral else where | {"message": as_message(message)}


def in_view(view: Thing) -> Thing:
    return {"container": {"type": "view", "view_id": view["id"]}, "view": view}


def view_submission(user: str, view: Thing, values: dict[str, str], trigger: str) -> Thing:
    """Raises `NotAllowedByClient` for what Slack's own form would not let through."""
    filled = view | {"state": {"values": _state(view["blocks"], values)}}
    return _envelope("view_submission", user, trigger) | {"view": filled, "response_urls": []}


def view_closed(user: str, view: Thing) -> Thing:
    body = _envelope("view_closed", user, "") | {"view": view, "is_cleared": False}
    del body["trigger_id"]
    return body


def event(event: Thing, *, event_id: str, event_time: int) -> Thing:
    authorization = {
        "enterprise_id": None,
        "team_id": cast.TEAM,
        "user_id": cast.BOT_USER,
        "is_bot": True,
        "is_enterprise_install": False,
    }
    return {
        "token": LEGACY_TOKEN,
        "team_id": cast.TEAM,
        "context_team_id": cast.TEAM,
        "context_enterprise_id": None,
        "api_app_id": cast.APP,
        "event": event,
        "type": "event_callback",
        "event_id": event_id,
        "event_time": event_time,
        "authorizations": [authorization],
        "is_ext_shared_channel": False,
    }


def message_event(post: Thing, *, client_msg_id: str) -> Thing:
    """What a person wrote: `app_mention` when it names the app in a channel, `message` otherwise."""
    channel = cast.CHANNELS[post["channel"]]
    body = {
        "type": "message",
        "user": post["user"],
        "ts": post["ts"],
        "client_msg_id": client_msg_id,
        "text": post["text"],
        "team": cast.TEAM,
        "channel": channel.id,
        "event_ts": post["ts"],
    }
    if post.get("thread_ts"):
        body["thread_ts"] = post["thread_ts"]
    body |= {name: post[name] for name in ("subtype", "files") if post.get(name)}
    if not channel.is_im and f"<@{cast.BOT_USER}>" in post["text"]:
        return body | {"type": "app_mention"}
    return body | {"channel_type": "im" if channel.is_im else "channel"}


def changed(before: Thing, after: Thing, ts: str) -> Thing:
    """What follows an edit."""
    return _about("message_changed", before, ts) | {"message": as_message(after)}


def deleted(before: Thing, ts: str) -> Thing:
    return _about("message_deleted", before, ts) | {"deleted_ts": before["ts"]}


def _about(subtype: str, before: Thing, ts: str) -> Thing:
    channel = cast.CHANNELS[before["channel"]]
    return {
        "type": "message",
        "subtype": subtype,
        "channel": channel.id,
        "channel_type": "im" if channel.is_im else "channel",
        "hidden": True,
        "ts": ts,
        "event_ts": ts,
        "previous_message": as_message(before),
    }


def home_opened(user: str, ts: str) -> Thing:
    return {"type": "app_home_opened", "user": user, "channel": cast.dm_of(user), "tab": "home", "event_ts": ts}


def command(user: str, channel: str, name: str, text: str, *, trigger: str, response_url: str) -> dict[str, str]:
    """A form, not JSON: https://docs.slack.dev/interactivity/implementing-slash-commands"""
    return {
        "token": LEGACY_TOKEN,
        "team_id": cast.TEAM,
        "team_domain": cast.TEAM_DOMAIN,
        "channel_id": channel,
        "channel_name": cast.CHANNELS[channel].name,
        "user_id": user,
        "user_name": cast.STAFF[user].username,
        "command": name,
        "text": text,
        "api_app_id": cast.APP,
        "is_enterprise_install": "false",
        "response_url": response_url,
        "trigger_id": trigger,
    }


def _envelope(kind: str, user: str, trigger: str) -> Thing:
    person = cast.STAFF[user]
    return {
        "type": kind,
        "user": {
            "id": user,
            "username": person.username,
            "name": person.username,
            "team_id": cast.TEAM,
        },
        "api_app_id": cast.APP,
        "token": LEGACY_TOKEN,
        "trigger_id": trigger,
        "team": {"id": cast.TEAM, "domain": cast.TEAM_DOMAIN},
        "enterprise": None,
        "is_enterprise_install": False,
    }


def _state(blocks: list[Thing], values: dict[str, str]) -> Thing:
    state: Thing = {}
    inputs = [block for block in blocks if block["type"] == "input"]
    unknown = values.keys() - {block["element"]["action_id"] for block in inputs}
    if unknown:
        raise NotInSandbox(f"The modal has no input {sorted(unknown)}.")
    for block in inputs:
        element = block["element"]
        value = values.get(element["action_id"], "") or None
        label = block["label"]["text"]
        if value is None and not block.get("optional"):
            raise NotAllowedByClient(f"{label}: please fill this in.")
        if value is not None and len(value) > element.get("max_length", 3000):
            raise NotAllowedByClient(f"{label}: at most {element.get('max_length', 3000)} characters.")
        state[block["block_id"]] = {element["action_id"]: _entry(element, value)}
    return state


def _entry(element: Thing, value: str | None) -> dict[str, Any]:
    if element["type"] not in CHOICES:
        return {"type": element["type"], "value": value}
    chosen = next((option for option in element["options"] if option["value"] == value), None)
    return {"type": element["type"], "selected_option": chosen}
