"""What `auth.test` tells of our token, as lines of `gateway doctor`, and `users.info` of a person. Pure."""

from collections.abc import Awaitable, Mapping
from datetime import datetime
from typing import Any

from gateway import clocks
from gateway.errors import TryLater
from gateway.ports import Finding

NEEDED = ("app_mentions:read", "chat:write", "im:history", "channels:history", "groups:history", "files:read")
"""As docs/deploying.md lists them."""
INVITE = "invite the bot: write /invite @Gatehouse there"
NO_USER = ("user_not_found", "user_not_visible", "users_not_found")


def of_token(answer: Mapping[str, Any], headers: Mapping[str, str], before: datetime, after: datetime) -> list[Finding]:
    """`answer` came between the two times, which are ours."""
    told = {name.lower(): value for name, value in headers.items()}
    bot, team = answer.get("user") or "?", answer.get("team") or answer.get("team_id") or "?"
    found = [Finding(True, f"slack: the token is {bot}'s in the workspace {team}")]
    found += _scopes(told.get("x-oauth-scopes"))
    return found + clocks.by_header("slack", told.get("date"), before, after)


async def of_socket(connecting: Awaitable[None]) -> Finding:
    """Whether Slack would let us connect by Socket Mode."""
    try:
        await connecting
    except TryLater as error:
        return Finding(False, f"slack: Socket Mode: {error}", "see SLACK__APP_TOKEN and docs/deploying.md")
    return Finding(True, "slack: the app token opens Socket Mode")


def of_user(user: Mapping[str, Any], team: str) -> str:
    """Why this user cannot be an approver; empty: they can. `team` is the one that is written, or empty."""
    if user.get("deleted"):
        return "this user is deactivated"
    if user.get("is_bot"):
        return "this user is a bot"
    if team and team not in (user.get("team_id"), user.get("enterprise_id")):
        return f"this user is of the workspace {user.get('team_id') or '?'}"
    return ""


def is_person(key: str) -> bool:
    """A user's id in place of a channel's: it is shown in their direct messages with the bot."""
    return key.startswith(("U", "W"))


def of_channel(channel: Mapping[str, Any] | None) -> Finding:
    """Can the bot write there? `channel`: of `conversations.info`; None: Slack shows the bot no such channel."""
    if channel is None:
        return Finding(False, "Slack shows the bot no such channel", f"{INVITE}; or mend gateway.toml")
    name = f"#{channel['name']}" if channel.get("name") else "it"
    if channel.get("is_archived"):
        return Finding(False, f"{name} is archived", "unarchive it, or name another place in gateway.toml")
    if not (channel.get("is_member") or channel.get("is_im")):
        return Finding(False, f"the bot is not in {name}", INVITE)
    return Finding(True, f"the bot is in {name}")


def missing(headers: Mapping[str, str]) -> list[str]:
    """The scopes that the token lacks; empty also where Slack does not say."""
    said = {name.lower(): value for name, value in headers.items()}.get("x-oauth-scopes")
    return [] if said is None else sorted(set(NEEDED) - {scope.strip() for scope in said.split(",")})


def _scopes(said: str | None) -> list[Finding]:
    if said is None:
        return [Finding(True, "slack: it does not say which scopes the token has", "compare with docs/deploying.md")]
    lacks = missing({"x-oauth-scopes": said})
    if not lacks:
        return [Finding(True, "slack: the token has the scopes it needs")]
    return [Finding(False, f"slack: the token lacks {', '.join(lacks)}", "add them to the app and install it again")]
