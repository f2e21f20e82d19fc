"""Installing into a workspace by OAuth: bolt's flow, over what the core keeps. Its cookie binds a state to one browser.

https://docs.slack.dev/authentication/installing-with-oauth
"""

import logging
import re
from collections.abc import Awaitable, Callable
from logging import Logger
from urllib.parse import urlencode, urljoin

from slack_bolt.adapter.starlette.async_handler import to_async_bolt_request, to_starlette_response
from slack_bolt.error import BoltError
from slack_bolt.oauth.async_callback_options import AsyncCallbackOptions, AsyncFailureArgs, AsyncSuccessArgs
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adapters.slack import pages
from adapters.slack.manifest import REDIRECT, SCOPES
from adapters.slack.refusals import UNSENT
from adapters.slack.settings import SlackSettings
from adapters.slack.workspaces import Workspaces
from gateway.ports import InstallationsDoor
from gateway.web.guard import refusing

log = logging.getLogger(__name__)
silent = logging.getLogger(f"{__name__}.flow")  # bolt's flow writes the code that it was given
silent.setLevel(logging.CRITICAL)

INSTALL = "/slack/install"
MAX_QUERY = 4_000  # characters; Slack's own are a few hundred


class Kept(AsyncInstallationStore):
    """Bot tokens only, each under its team, or under its enterprise where the app is installed in all of it."""

    def __init__(self, door: InstallationsDoor) -> None:
        self._door = door

    @property
    def logger(self) -> Logger:
        return silent

    async def async_save(self, installation: Installation) -> None:
        whole = bool(installation.is_enterprise_install)
        account = installation.enterprise_id if whole else installation.team_id
        if not account or not installation.bot_token:
            raise BoltError("Slack's answer names no workspace, or has no token of the bot")
        name = installation.enterprise_name if whole else installation.team_name
        await self._door.keep("slack", account, installation.bot_token, name=name or "")


class States(AsyncOAuthStateStore):
    def __init__(self, door: InstallationsDoor) -> None:
        self._door = door

    @property
    def logger(self) -> Logger:
        return silent

    async def async_issue(self, *args: object, **kwargs: object) -> str:
        return await self._door.new_state()

    async def async_consume(self, state: str) -> bool:
        return await self._door.use_state(state)


class Flow(AsyncOAuthFlow):
    """Bolt's, but for what it shows, and for an address whose parts are encoded."""

    async def build_authorize_url(self, state: str, request: AsyncBoltRequest) -> str:
        asked = {
            "client_id": self.settings.client_id,
            "scope": ",".join(self.settings.scopes or ()),
            "redirect_uri": self.settings.redirect_uri or "",
            "state": state,
        }
        team = (request.query.get("team") or [""])[0]
        if re.fullmatch(r"[TE][A-Z0-9]{2,20}", team):
            asked["team"] = team
        return f"{self.settings.authorization_url}?{urlencode(asked)}"

    async def build_install_page_html(self, url: str, request: AsyncBoltRequest) -> str:
        return pages.install(url)


def routes(
    door: InstallationsDoor, workspaces: Workspaces, settings: SlackSettings, public_url: Callable[[], str]
) -> list[BaseRoute]:
    """None with one workspace."""
    if not settings.many or settings.client_secret is None:
        return []
    secret = settings.client_secret.get_secret_value()

    def flow() -> AsyncOAuthFlow:
        # Everything is named: what is not, bolt reads from the environment, or keeps in files.
        return Flow(
            client=workspaces.client(),
            logger=silent,
            settings=AsyncOAuthSettings(
                client_id=settings.client_id,
                client_secret=secret,
                scopes=list(SCOPES),
                user_scopes=[],
                redirect_uri=public_url().rstrip("/") + REDIRECT,
                install_path=INSTALL,
                redirect_uri_path=REDIRECT,
                callback_options=AsyncCallbackOptions(_installed, _failed),
                authorization_url=urljoin(settings.api_url.rstrip("/") + "/", "../oauth/v2/authorize"),
                installation_store=Kept(door),
                installation_store_bot_only=True,
                state_store=States(door),
                logger=silent,
            ),
        )

    async def install(request: Request) -> Response:
        return await _dispatch(request, flow().handle_installation)

    async def redirect(request: Request) -> Response:
        return await _dispatch(request, flow().handle_callback)

    return [
        Route(INSTALL, refusing(install), methods=["GET"]),
        Route(REDIRECT, refusing(redirect), methods=["GET"]),
    ]


async def _dispatch(request: Request, handle: Callable[[AsyncBoltRequest], Awaitable[BoltResponse]]) -> Response:
    if len(request.url.query) > MAX_QUERY:
        return to_starlette_response(_page(400, pages.failed("the address is too long")))
    try:
        answer = await handle(to_async_bolt_request(request, b""))
    except UNSENT as error:
        log.warning("a workspace could not be installed: %s", type(error).__name__)
        answer = _page(502, pages.failed("Slack cannot be reached at the moment"))
    response = to_starlette_response(answer)
    response.headers.update(pages.HEADERS)
    return response


async def _installed(args: AsyncSuccessArgs) -> BoltResponse:
    name = args.installation.team_name or args.installation.enterprise_name or "your workspace"
    return _forgetting(args.settings, _page(200, pages.installed(name)))


async def _failed(args: AsyncFailureArgs) -> BoltResponse:
    """What Slack says of somebody who pressed Cancel is no failure of theirs; what they cannot prove is 400."""
    log.info("a workspace was not installed: %s", re.sub(r"[^a-z_]", "?", args.reason)[:40])
    status = {200: 200, 500: 502}.get(args.suggested_status_code, 400)
    return _forgetting(args.settings, _page(status, pages.failed(args.reason)))


def _page(status: int, html: str) -> BoltResponse:
    return BoltResponse(status=status, body=html, headers={"content-type": "text/html; charset=utf-8"})


def _forgetting(settings: AsyncOAuthSettings, answer: BoltResponse) -> BoltResponse:
    answer.headers["set-cookie"] = [settings.state_utils.build_set_cookie_for_deletion()]
    return answer
