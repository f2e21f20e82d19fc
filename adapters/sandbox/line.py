"""The wire from the outside world to the gateway: signs as the platforms do, then posts. Keeps no state of theirs."""

import json
import ssl
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import httpx

from adapters.sandbox import cast, signing
from adapters.sandbox.errors import GatewayAway
from adapters.sandbox.settings import SandboxSettings
from adapters.sandbox.socket_mode import SocketMode

FORM = "application/x-www-form-urlencoded"


class Line:
    def __init__(
        self, settings: SandboxSettings, clock: Callable[[], float], socket: SocketMode, team: str = cast.TEAM
    ) -> None:
        """`team`: as which workspace it speaks for Slack."""
        self._settings = settings
        self._socket = socket
        self._team = team
        self._clock = clock
        # The gateway is on this machine, at http: whom the world trusts need not be read, which is 30 ms of work.
        nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # A proxy of the environment must never see these requests.
        self._http = httpx.AsyncClient(verify=nobody, trust_env=False, timeout=15)
        self.problem = ""  #: why the last request got no answer; empty when it got one

    async def twilio(self, path: str, form: Mapping[str, str]) -> httpx.Response:
        signed_url = self._settings.public_url.rstrip("/") + path
        headers = signing.twilio_headers(self._settings.sms_auth_token, signed_url, form)
        headers |= {"Content-Type": f"{FORM}; charset=UTF-8", "User-Agent": "TwilioProxy/1.1"}
        return await self._post(path, urlencode(form).encode(), headers)

    async def slack_interaction(self, payload: Mapping[str, Any]) -> httpx.Response:
        payload = self._of_team(payload)
        if self._settings.slack_app_token:
            return await self._socket.deliver("interactive", payload)
        return await self._slack(urlencode({"payload": json.dumps(payload)}).encode(), FORM)

    async def slack_command(self, form: Mapping[str, str]) -> httpx.Response:
        form = self._of_team(form)
        if self._settings.slack_app_token:
            return await self._socket.deliver("slash_commands", form)
        return await self._slack(urlencode(form).encode(), FORM)

    async def slack_event(self, body: Mapping[str, Any]) -> httpx.Response:
        body = self._of_team(body)
        if self._settings.slack_app_token:
            return await self._socket.deliver("events_api", body)
        return await self._slack(json.dumps(body).encode(), "application/json")

    def _of_team(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """The same of our workspace: everything in the sandbox is made as of the first."""
        found: dict[str, Any] = json.loads(json.dumps(said).replace(cast.TEAM, self._team))
        return found

    async def _slack(self, body: bytes, content_type: str) -> httpx.Response:
        secret = self._settings.slack_signing_secret
        headers = signing.slack_headers(secret, body, int(self._clock()))
        headers |= {
            "Content-Type": content_type,
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        }
        return await self._post("/slack/events", body, headers)

    async def _post(self, path: str, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        url = self._settings.gateway_url.rstrip("/") + path
        try:
            response = await self._http.post(url, content=body, headers=headers)
        except httpx.TransportError as error:
            self.problem = f"No answer from {url}: {type(error).__name__}"
            raise GatewayAway(self.problem) from error
        self.problem = ""
        return response

    async def aclose(self) -> None:
        await self._http.aclose()
