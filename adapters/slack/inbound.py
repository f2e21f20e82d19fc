"""Slack's requests -> events and people. Pure: no network, no clock, no database (the time is passed in)."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.slack.card import DECIDES
from adapters.slack.entities import plain
from gateway.errors import NotProven
from gateway.events import Identity, MediaRef, MessageReceived, Proof, ThreadRef

MAX_AGE_S = 300  # both ways, as Slack's own libraries check
UNKNOWN = "unknown"  # no digest begins like this: whoever does not say what they saw decides nothing
TAKEN_SUBTYPES = (None, "file_share", "thread_broadcast", "me_message")


def prove(headers: Mapping[str, str], body: bytes, *, secrets: Sequence[str], now: float) -> None:
    """Raises `NotProven` unless Slack signed these bytes within five minutes of `now` (seconds since 1970).

    https://docs.slack.dev/authentication/verifying-requests-from-slack
    """
    stamp, signature = headers.get("x-slack-request-timestamp", ""), headers.get("x-slack-signature", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 12 and signature.isascii()):
        raise NotProven("no usable signature")
    if abs(now - int(stamp)) > MAX_AGE_S:
        raise NotProven("the signature is too old; is this machine's clock right?")
    signed = b"v0:" + stamp.encode() + b":" + body
    expected = ("v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets)
    if not any(hmac.compare_digest(one.encode(), signature.encode()) for one in expected):
        raise NotProven("the signature does not match")


def read(body: Mapping[str, Any]) -> MessageReceived | None:
    """The message in an event callback. None: an event that is none of our business."""
    event = body.get("event")
    if body.get("type") != "event_callback" or not isinstance(event, Mapping):
        return None
    if event.get("type") not in ("message", "app_mention") or event.get("subtype") not in TAKEN_SUBTYPES:
        return None
    user, channel, ts = (_text(event, name) for name in ("user", "channel", "ts"))
    if event.get("bot_id") or not (user and channel and ts):
        return None
    direct = event.get("channel_type") == "im" or channel.startswith("D")
    mention = event.get("type") == "app_mention"
    root = _text(event, "thread_ts")
    if not (direct or mention or root):
        return None
    team = installed_in(body) or _text(event, "team")
    return MessageReceived(
        event_id=_text(body, "event_id") or f"{team}:{channel}:{ts}",
        message_id=f"{team}:{channel}:{ts}",
        thread=ThreadRef("slack", team, f"{channel}:{root or ts}"),
        sender=Identity(
            channel="slack",
            account=_text(event, "user_team") or _text(event, "team") or team,
            address=user,
            name=_name(event),
            proof=Proof.PLATFORM,
        ),
        text=plain(_text(event, "text"), _bot_user(body)),
        media=_files(event),
        addressed=direct or mention,
    )


def installed_in(body: Mapping[str, Any]) -> str:
    """Whose installation it came by: a team's, or an enterprise's where the app is installed in all of it.

    In a channel that workspaces share the event may have happened in another's: the grant says whose is ours.
    """
    granted = body.get("authorizations")
    grant = granted[0] if isinstance(granted, list) and granted and isinstance(granted[0], Mapping) else body
    if _in(grant, "is_enterprise_install") in (True, "true"):
        return _text(grant, "enterprise_id") or _text(body.get("enterprise"), "id")
    return (
        _text(body.get("view"), "app_installed_team_id")
        or _text(grant, "team_id")
        or _text(body.get("team"), "id")
        or _text(body, "team_id")
        or _text(body.get("user"), "team_id")
    )


def removed_at(body: Mapping[str, Any]) -> int | None:
    """When the app, or its bot's token, was removed there (seconds since 1970; 0: Slack did not say). None: neither."""
    event = body.get("event")
    kind, time = _text(event, "type"), body.get("event_time")
    bots = _in(_in(event, "tokens"), "bot")
    if body.get("type") != "event_callback" or not (kind == "app_uninstalled" or (kind == "tokens_revoked" and bots)):
        return None
    return time if isinstance(time, int) and 0 < time < 10**10 else 0


def odd(body: Mapping[str, Any]) -> bool:
    """A body whose parts are not what they must be: Slack does not send it, and bolt's own middleware fails on it."""
    kind, view, actions = body.get("type"), body.get("view", {}), body.get("actions")
    if not all(isinstance(body.get(name, {}), dict) for name in ("event", "view", "user")):
        return True
    first = actions[0] if isinstance(actions, list) and actions else None
    named = [body.get(name) for name in ("callback_id", "action_id", "command")]
    words = [body.get("event", {}).get("type"), view.get("callback_id"), *named]
    return (
        not all(isinstance(word, str | None) for word in words)
        or (kind == "block_actions" and not isinstance(_in(first, "action_id"), str))
        or (kind == "interactive_message" and not isinstance(first, dict))
        or (kind == "view_submission" and "type" not in view)
        or (kind == "workflow_step_edit" and "workflow_step" not in body)
    )


def named(body: Mapping[str, Any]) -> tuple[str, str]:
    """What kind of thing this is, and which of that kind, for the log: no words of people."""
    actions = body.get("actions")
    first = actions[0] if isinstance(actions, list) and actions else None
    which = (_text(first, "action_id"), _text(body.get("view"), "callback_id"), _text(body, "callback_id"))
    name = next((one for one in (*which, _text(body, "action_id"), _text(body, "command")) if one), "")
    return ("command" if "command" in body else _text(body, "type")) or "body", name


def limited(body: Mapping[str, Any]) -> tuple[str, int] | None:
    """The team, and the minute (in seconds since 1970) of whose events Slack sends no more. None: it is not that.

    https://docs.slack.dev/apis/events-api/#rate_limiting
    """
    minute = body.get("minute_rate_limited")
    if body.get("type") != "app_rate_limited":
        return None
    return _text(body, "team_id"), minute if isinstance(minute, int) and 0 < minute < 2**33 else 0


def clicker(body: Mapping[str, Any]) -> Identity:
    """Who clicked, submitted, gave a command or opened the Home tab, as Slack signed it."""
    user, event = body.get("user"), body.get("event")
    return Identity(
        channel="slack",
        account=_text(user, "team_id") or _text(body.get("team"), "id") or _text(body, "team_id"),
        address=_text(user, "id") or _text(body, "user_id") or _text(event, "user"),
        name=_text(user, "name") or _text(user, "username") or _text(body, "user_name"),
        proof=Proof.PLATFORM,
    )


def clicked(body: Mapping[str, Any]) -> tuple[str, str]:
    """The request that a button is about, and the beginning of the digest of what was shown beside it."""
    actions = body.get("actions")
    first = actions[0] if isinstance(actions, list) and actions else None
    block = _text(first, "block_id")
    digest = block.removeprefix(DECIDES).partition(":")[0] if block.startswith(DECIDES) else ""
    return _text(first, "value"), digest or UNKNOWN


def about(view: Mapping[str, Any]) -> tuple[str, str]:
    """The same of a form."""
    approval_id, _, digest = _text(view, "private_metadata").partition(" ")
    return approval_id, digest or UNKNOWN


def pressed_in(body: Mapping[str, Any]) -> str:
    """The form that holds the button; empty: a message or the Home tab does."""
    return "" if at_home(body) else _text(body.get("view"), "id")


def at_home(body: Mapping[str, Any]) -> bool:
    """The button is in the person's Home tab."""
    return _text(body.get("view"), "type") == "home"


def first_input(view: Mapping[str, Any]) -> str:
    """The block of a form beside which something can be said."""
    blocks = view.get("blocks")
    found = [block for block in blocks if _text(block, "type") == "input"] if isinstance(blocks, list) else []
    return _text(found[0], "block_id") if found else ""


def written(view: Mapping[str, Any], block: str) -> str:
    """What a person wrote into the input of a form; both its ids are `block`."""
    state = view.get("state")
    values = state.get("values") if isinstance(state, Mapping) else None
    inputs = values.get(block) if isinstance(values, Mapping) else None
    return _text(inputs.get(block) if isinstance(inputs, Mapping) else None, "value")


def _bot_user(body: Mapping[str, Any]) -> str:
    granted = body.get("authorizations")
    first = granted[0] if isinstance(granted, list) and granted and isinstance(granted[0], Mapping) else {}
    return _text(first, "user_id")


def _name(event: Mapping[str, Any]) -> str:
    """Slack tells it of some people, mostly of those of another workspace; nobody is looked up for it."""
    profile = _in(event, "user_profile")
    return _text(profile, "display_name") or _text(profile, "real_name")


def _files(event: Mapping[str, Any]) -> tuple[MediaRef, ...]:
    files = event.get("files")
    found = [file for file in files if isinstance(file, Mapping)] if isinstance(files, list) else []
    return tuple(
        MediaRef(
            where=_text(file, "id"),
            mime_type=_text(file, "mimetype") or "application/octet-stream",
            name=_text(file, "name") or _text(file, "title"),
            size=size if isinstance(size := file.get("size"), int) else 0,
        )
        for file in found
    )


def _in(where: Any, name: str) -> Any:
    return where.get(name) if isinstance(where, Mapping) else None


def _text(where: Any, name: str) -> str:
    value = _in(where, name)
    return value if isinstance(value, str) else ""
