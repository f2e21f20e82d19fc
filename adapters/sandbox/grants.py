"""What Slack keeps of the app: in which workspaces it is installed, its tokens there, and codes on the way to one.

Storage and Slack's own rules only: no HTTP.
"""

import hmac
import secrets
from collections.abc import Callable

from adapters.sandbox.errors import SlackSaysNo
from adapters.sandbox.settings import SandboxSettings
from adapters.sandbox.state import Notebook, Thing

CODE_LIFE_S = 10 * 60


class Grants:
    def __init__(self, settings: SandboxSettings, notes: Notebook, first: str, clock: Callable[[], float]) -> None:
        """The token of the settings is the first workspace's from the start."""
        self._settings = settings
        self._notes = notes
        self._clock = clock
        if settings.slack_bot_token:
            self._put(settings.slack_bot_token, first)

    def team_of(self, token: str) -> str:
        """Whose token it is. Raises what Slack says of one that is not good."""
        if not token:
            raise SlackSaysNo("not_authed")
        found = self._notes.get("token", token)
        if found is None:
            raise SlackSaysNo("invalid_auth")
        if found["refused"]:
            raise SlackSaysNo(found["refused"])
        return str(found["team"])

    def is_in(self, team: str) -> bool:
        return any(one["team"] == team and not one["refused"] for one in self._notes.all("token"))

    def code(self, team: str, redirect_uri: str) -> str:
        """Somebody of the workspace allowed the app."""
        code = secrets.token_hex(16)
        self._notes.put("code", code, {"team": team, "redirect_uri": redirect_uri, "made": self._clock()})
        return code

    def exchange(self, code: str, client_id: str, client_secret: str, redirect_uri: str) -> tuple[str, str]:
        """The workspace, and a token for it. Each code once."""
        ours = f"{self._settings.slack_client_id}\0{self._settings.slack_client_secret}"
        if not hmac.compare_digest(f"{client_id}\0{client_secret}".encode(), ours.encode()):
            raise SlackSaysNo(
                "invalid_client_id" if client_id != self._settings.slack_client_id else "bad_client_secret"
            )
        found = self._notes.get("code", code)
        if found is None or self._clock() - found["made"] > CODE_LIFE_S:
            raise SlackSaysNo("invalid_code")
        if found["redirect_uri"] != redirect_uri:
            raise SlackSaysNo("bad_redirect_uri")
        self._notes.remove("code", code)
        token = f"xoxb-{secrets.token_hex(12)}"
        self._put(token, found["team"])
        return str(found["team"]), token

    def revoke(self, token: str) -> None:
        found = self._notes.get("token", token)
        if found is not None:
            self._notes.put("token", token, found | {"refused": "token_revoked"})

    def uninstall(self, team: str) -> None:
        for found in self._notes.all("token"):
            if found["team"] == team:
                self._notes.put("token", found["token"], found | {"refused": "account_inactive"})

    def survive(self, forget: Callable[[], None]) -> None:
        """Who is installed where stays so, while all else is forgotten."""
        kept = self._notes.all("token")
        forget()
        for one in kept:
            self._notes.put("token", one["token"], one)

    def _put(self, token: str, team: str) -> None:
        thing: Thing = {"token": token, "team": team, "refused": ""}
        self._notes.put("token", token, thing)
