"""Slack as the app meets it from outside: which workspace a token is of, and the pages and methods of OAuth."""

import base64
import binascii
from collections.abc import Mapping
from html import escape
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from adapters.sandbox import cast
from adapters.sandbox.errors import SlackSaysNo
from adapters.sandbox.grants import Grants
from adapters.sandbox.settings import SandboxSettings
from adapters.sandbox.slack_api import arguments_of
from adapters.sandbox.slack_files import SIGN_IN
from adapters.sandbox.state import Thing
from adapters.sandbox.team import Team

HEADERS = {"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Cache-Control": "no-store"}
ASKED = ("client_id", "scope", "state", "redirect_uri")


class SlackOutside:
    def __init__(self, settings: SandboxSettings, grants: Grants, teams: Mapping[str, Team]) -> None:
        self._settings = settings
        self._grants = grants
        self._teams = teams

    def routes(self) -> list[Route]:
        return [
            Route("/slack/oauth/v2/authorize", self.ask, methods=["GET"]),
            Route("/slack/oauth/v2/authorize", self.decide, methods=["POST"]),
            Route("/slack/api/{method}", self.call, methods=["GET", "POST"]),
            Route("/slack/respond/{hook}", self.respond, methods=["POST"]),
            Route("/slack/files/{id}", self.download, methods=["GET"]),
            Route("/slack/files/{id}/download", self.download, methods=["GET"]),
        ]

    # --- the Web API ---------------------------------------------------------------------------------------

    async def call(self, request: Request) -> Response:
        """A method, in the workspace whose token is shown; those of OAuth here."""
        own = {"oauth.v2.access": self._access, "auth.revoke": self._revoke, "apps.uninstall": self._uninstall}
        try:
            arguments = await arguments_of(request)
            if (method := own.get(request.path_params["method"])) is not None:
                return JSONResponse({"ok": True} | method(request, arguments))
            team = self._teams[self._grants.team_of(_token(request, arguments))]
        except SlackSaysNo as no:
            return JSONResponse({"ok": False, "error": no.error})
        return await team.api.call(request, arguments)

    async def respond(self, request: Request) -> Response:
        issued = [one for one in self._teams.values() if one.api.issued(request.path_params["hook"])]
        return await (issued or list(self._teams.values()))[0].api.respond(request)

    async def download(self, request: Request) -> Response:
        """A file; without a good token the page where people sign in, with status 200, as Slack does."""
        try:
            team = self._teams[self._grants.team_of(_token(request, {}))]
        except SlackSaysNo:
            return Response(SIGN_IN, media_type="text/html")
        return team.files.download(request.path_params["id"])

    def _access(self, request: Request, arguments: Thing) -> Thing:
        client_id, client_secret = _basic(request)
        team, token = self._grants.exchange(
            str(arguments.get("code", "")),
            client_id or str(arguments.get("client_id", "")),
            client_secret or str(arguments.get("client_secret", "")),
            str(arguments.get("redirect_uri", "")),
        )
        return {
            "access_token": token,
            "token_type": "bot",
            "scope": "chat:write",
            "bot_user_id": cast.BOT_USER,
            "app_id": cast.APP,
            "team": {"id": team, "name": cast.TEAMS[team]},
            "enterprise": None,
            "authed_user": {"id": cast.ANA},
            "is_enterprise_install": False,
        }

    def _revoke(self, request: Request, arguments: Thing) -> Thing:
        token = _token(request, arguments)
        self._grants.team_of(token)
        self._grants.revoke(token)
        return {"revoked": True}

    def _uninstall(self, request: Request, arguments: Thing) -> Thing:
        self._grants.uninstall(self._grants.team_of(_token(request, arguments)))
        return {}

    # --- the page on which somebody allows the app -----------------------------------------------------------

    async def ask(self, request: Request) -> Response:
        asked = {name: request.query_params.get(name, "") for name in ASKED}
        if why := self._misasked(asked):
            return HTMLResponse(escape(why), status_code=400, headers=HEADERS)
        fields = "".join(f'<input type="hidden" name="{name}" value="{escape(asked[name])}">' for name in ASKED)
        teams = "".join(
            f'<button name="team" value="{id}">Allow in {name}</button> ' for id, name in cast.TEAMS.items()
        )
        return HTMLResponse(
            f'<!doctype html><meta charset="utf-8"><title>Allow Gatehouse?</title><h1>Allow Gatehouse?</h1>'
            f'<form method="post">{fields}{teams}<button name="team" value="">Cancel</button></form>',
            headers=HEADERS,
        )

    async def decide(self, request: Request) -> Response:
        async with request.form() as form:
            asked = {name: str(form.get(name, "")) for name in (*ASKED, "team")}
        if why := self._misasked(asked):
            return HTMLResponse(escape(why), status_code=400, headers=HEADERS)
        answer = {"error": "access_denied", "state": asked["state"]}
        if asked["team"] in cast.TEAMS:
            answer = {"code": self._grants.code(asked["team"], asked["redirect_uri"]), "state": asked["state"]}
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(answer)}", status_code=302)

    def _misasked(self, asked: Mapping[str, str]) -> str:
        if not self._settings.slack_client_id or asked["client_id"] != self._settings.slack_client_id:
            return "invalid_client_id"
        if not asked["redirect_uri"].startswith(self._settings.public_url.rstrip("/") + "/"):
            return "bad_redirect_uri"
        return ""


def _token(request: Request, arguments: Thing) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ") or str(arguments.get("token", ""))


def _basic(request: Request) -> tuple[str, str]:
    kind, _, coded = request.headers.get("authorization", "").partition(" ")
    try:
        name, _, secret = base64.b64decode(coded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return (name, secret) if kind.lower() == "basic" else ("", "")
