"""Slack by Socket Mode: we call, Slack hands envelopes over the line, each is acknowledged once it is kept.

One line for each run; the core's `listeners.py` runs it again. No signature is needed: only Slack is at the other end.
https://docs.slack.dev/apis/events-api/using-socket-mode/
"""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import aiohttp
from slack_bolt.adapter.socket_mode.internals import build_headers
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack import refusals
from adapters.slack.intake import Intake
from gateway.errors import DatabaseAway, KeyRefused, TryLater, Unreadable
from gateway.ports import Door
from gateway.work.slots import end

log = logging.getLogger(__name__)

CONNECT_S = 15.0
PING_S = 10.0  # a line that does not answer within half of that is lost
CLOSE_S = 0.5  # for Slack to say goodbye too
LAST_S = 3.0  # for answers on a line that Slack takes back
TOKEN_REFUSED = refusals.KEY_REFUSED | {"not_allowed_token_type", "missing_scope", "invalid_app_token", "no_permission"}


class SocketMode:
    """A `Listener`."""

    name = "slack"

    def __init__(self, client: AsyncWebClient, app_token: str, intake: Callable[[Door], Intake]) -> None:
        self._client = client
        self._token = app_token
        self._intake = intake

    async def run(self, door: Door) -> None:
        url, intake = await address(self._client, self._token), self._intake(door)
        try:
            async with aiohttp.ClientSession() as http:
                async with asyncio.timeout(CONNECT_S):
                    line = await http.ws_connect(
                        url,
                        heartbeat=PING_S,
                        timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S),
                        proxy=self._client.proxy,
                    )
                async with line:
                    await _talk(line, intake)
        except (aiohttp.ClientError, TimeoutError) as error:
            # Not its words: they hold the address, which is a ticket.
            raise TryLater(f"Slack's line did not open ({type(error).__name__})") from None

    async def check(self) -> None:
        """Would Slack let us connect? Raises `KeyRefused` or `TryLater`."""
        await address(self._client, self._token)


async def address(client: AsyncWebClient, token: str) -> str:
    """Where to connect, once and within half a minute. Raises `KeyRefused` or `TryLater`."""
    try:
        url = (await client.apps_connections_open(app_token=token)).get("url")
    except SlackApiError as error:
        said, wait = refusals.error_code(error) or "nothing of its own", error.response.headers.get("Retry-After", "")
        if said in TOKEN_REFUSED:
            raise KeyRefused(f"Slack said {said}: check SLACK__APP_TOKEN, and that Socket Mode is on") from error
        raise TryLater(f"Slack said {said}", retry_after=float(wait) if str(wait).isdigit() else None) from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise TryLater("Slack cannot be reached") from error
    if not isinstance(url, str) or not url.startswith(("wss://", "ws://")):
        raise TryLater("Slack gave no address to connect to")
    return url


async def _talk(line: aiohttp.ClientWebSocketResponse, intake: Intake) -> None:
    """Until Slack takes the line back. Raises `TryLater` when it is lost."""
    answering = set[asyncio.Task[None]]()
    try:
        async for frame in line:
            said = _read(frame)
            if said.get("type") == "hello":
                log.info("Slack's line is open")
            elif said.get("type") == "disconnect":
                log.info("Slack takes its line back (%.40s)", said.get("reason"))
                return
            elif isinstance(said.get("envelope_id"), str):
                task = asyncio.create_task(_answer(line, said, intake), name="envelope of Slack")
                answering.add(task)
                task.add_done_callback(answering.discard)
        raise TryLater("Slack's line was lost")
    finally:
        await end(list(answering), LAST_S if not line.closed else 0.0)


def _read(frame: aiohttp.WSMessage) -> dict[str, Any]:
    """Empty for what is none of Slack's frames."""
    try:
        said = json.loads(frame.data) if frame.type is aiohttp.WSMsgType.TEXT else {}
    except (ValueError, RecursionError):
        said = {}
    return said if isinstance(said, dict) else {}


async def _answer(line: aiohttp.ClientWebSocketResponse, said: dict[str, Any], intake: Intake) -> None:
    """Acknowledge the envelope unless something of it was not kept: then Slack sends it again."""
    try:
        answer = await _asked(said, intake)
    except Unreadable as error:
        log.warning("an envelope was left: %s", error)
        answer = BoltResponse(status=200, body="")
    except DatabaseAway as error:
        log.error("an envelope was not kept: %s", error)
        return
    except Exception:
        # Whatever it is about, the line goes on with the others.
        log.exception("an envelope was not kept")
        return
    if answer.status != 200:
        return
    response = SocketModeResponse(envelope_id=said["envelope_id"], payload=_payload(answer))
    try:
        await line.send_str(json.dumps(response.to_dict()))
    except (aiohttp.ClientError, OSError):
        log.info("a line was lost before its envelope was acknowledged")


async def _asked(said: dict[str, Any], intake: Intake) -> BoltResponse:
    payload = said.get("payload")
    if not isinstance(payload, dict):
        raise Unreadable("its payload is not one of Slack's")
    envelope = SocketModeRequest(
        type=str(said.get("type")),
        envelope_id=said["envelope_id"],
        payload=payload,
        retry_attempt=said.get("retry_attempt"),
    )
    return await intake.answer(AsyncBoltRequest(mode="socket_mode", body=payload, headers=build_headers(envelope)))


def _payload(answer: BoltResponse) -> dict[str, Any] | None:
    """What goes back with it: errors beside the inputs of a form, the answer to a command."""
    if not answer.body:
        return None
    kind = answer.headers.get("content-type", [""])[0]
    return json.loads(answer.body) if kind.startswith("application/json") else {"text": answer.body}
