"""What each of Slack's refusals means to whoever sends: refused for good, to be tried later, or nobody knows."""

import contextlib
from collections.abc import Iterator
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError

from gateway.errors import KeyRefused, TryLater, Uncertain, WillNeverArrive

PASSING = {"ratelimited", "rate_limited", "message_limit_exceeded", "streaming_state_conflict"}
KEY_REFUSED = {"invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive", "org_login_required"}
SCOPE_MISSING = "missing_scope"
BROKEN = {"internal_error", "fatal_error", "service_unavailable", "request_timeout"}
UNSENT = (SlackApiError, aiohttp.ClientError, TimeoutError, ValueError)
"""What Slack's client raises where a call came to nothing, or may have."""

CARD_GONE = {"message_not_found", "cant_update_message", "edit_window_closed"}
THREAD_GONE = {"thread_not_found", "cannot_reply_to_message", "restricted_action_non_threadable_channel"}
TOO_LONG = "msg_too_long"
NOT_SHOWABLE = {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_blocks_too_many", TOO_LONG}

ADVICE = {
    "not_in_channel": "invite the app into the channel",
    "channel_not_found": "there is no such channel, or the app is not in it",
    "is_archived": "the channel is archived: unarchive it, or name another",
    "restricted_action": "the workspace lets the app not write there",
    "messages_tab_disabled": "switch on the Messages tab of the app's Home",
}


class NotShowable(WillNeverArrive):
    """Slack does not take what the words are set in; the words alone it may take."""


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """What Slack's client raises, in our words."""
    try:
        yield
    except SlackApiError as error:
        raise meaning(error) from error
    except aiohttp.ClientConnectorError as error:
        raise TryLater("Slack cannot be reached") from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Uncertain("Slack's answer was lost") from error


def word(error: Exception) -> str:
    """Slack's own word for what one of ours was raised from; empty: it said none."""
    cause = error.__cause__
    return error_code(cause) if isinstance(cause, SlackApiError) else ""


def error_code(error: SlackApiError) -> str:
    """Empty where the answer is not Slack's: of a page the client cannot read any further."""
    return str(_told(error).get("error") or "")


def _told(error: SlackApiError) -> dict[str, Any]:
    told = error.response.data if hasattr(error.response, "data") else None
    return told if isinstance(told, dict) else {}


def meaning(error: SlackApiError) -> TryLater | WillNeverArrive | Uncertain:
    code = error_code(error)
    said = code or f"HTTP {error.response.status_code}"
    if said in KEY_REFUSED:
        return KeyRefused(f"Slack said {said}: check SLACK__BOT_TOKEN, or install the app again")
    if said == SCOPE_MISSING:
        needed = str(_told(error).get("needed") or "a scope it does not name")[:200]
        return KeyRefused(f"Slack said {said}: the app needs {needed}; give it that, and install it once more")
    if error.response.status_code == 429 or said in PASSING:
        wait = error.response.headers.get("Retry-After", "")
        return TryLater(f"Slack said {said}", retry_after=float(wait) if str(wait).isdigit() else None)
    page = error.response.status_code < 400 and not code  # of a proxy in between, not Slack's
    if error.response.status_code >= 500 or said in BROKEN or page:
        return Uncertain(f"Slack said {said}")
    if said in NOT_SHOWABLE:
        return NotShowable(f"Slack said {said}")
    advice = ADVICE.get(said) or (ADVICE["restricted_action"] if said.startswith("restricted_action") else "")
    return WillNeverArrive(f"Slack said {said}: {advice}" if advice else f"Slack said {said}")
