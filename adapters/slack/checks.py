"""What `auth.test` tells of our token, as lines of `gateway doctor`. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gateway import clocks
from gateway.ports import Finding

NEEDED = ("app_mentions:read", "chat:write", "im:history", "channels:history", "groups:history")
"""As docs/deploying.md lists them."""


def of_token(answer: Mapping[str, Any], headers: Mapping[str, str], before: datetime, after: datetime) -> list[Finding]:
    """`answer` came between the two times, which are ours."""
    told = {name.lower(): value for name, value in headers.items()}
    bot, team = answer.get("user") or "?", answer.get("team") or answer.get("team_id") or "?"
    found = [Finding(True, f"slack: the token is {bot}'s in the workspace {team}")]
    found += _scopes(told.get("x-oauth-scopes"))
    return found + clocks.by_header("slack", told.get("date"), before, after)


def _scopes(said: str | None) -> list[Finding]:
    if said is None:
        return [Finding(True, "slack: it does not say which scopes the token has", "compare with docs/deploying.md")]
    missing = sorted(set(NEEDED) - {scope.strip() for scope in said.split(",")})
    if not missing:
        return [Finding(True, "slack: the token has the scopes it needs")]
    return [Finding(False, f"slack: the token lacks {', '.join(missing)}", "add them to the app and install it again")]
