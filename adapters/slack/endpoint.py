"""Slack's HTTP endpoint: the guard in front of bolt. What is not proven or not Slack's never reaches it."""

import logging
from collections.abc import Sequence

from slack_bolt.adapter.starlette.async_handler import to_async_bolt_request, to_starlette_response
from slack_bolt.async_app import AsyncApp
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adapters.slack import inbound
from adapters.slack.listeners import KEPT
from gateway.errors import Unreadable
from gateway.ports import Clock
from gateway.web.guard import capped_body, refusing

log = logging.getLogger(__name__)

PATH = "/slack/events"
MAX_BODY = 1024 * 1024  # bytes; Slack's own payloads stay far below


def routes(bolt: AsyncApp, secrets: Sequence[str], clock: Clock) -> list[BaseRoute]:
    """Events, interactivity and commands."""

    async def events(request: Request) -> Response:
        body = await capped_body(request, MAX_BODY)
        inbound.prove(request.headers, body, secrets=secrets, now=clock().timestamp())
        return await _dispatch(bolt, request, body)

    return [Route(PATH, refusing(events), methods=["POST"])]


async def _dispatch(bolt: AsyncApp, request: Request, body: bytes) -> Response:
    try:
        asked = to_async_bolt_request(request, body)
        if not isinstance(asked.body, dict) or not asked.body or inbound.odd(asked.body):
            raise Unreadable("a body Slack does not send")
    except Unreadable:
        raise
    except Exception as error:  # bolt's parser fails in many ways on a body it does not know
        raise Unreadable("the body is not one of Slack's") from error
    if asked.body.get("type") == "app_rate_limited":
        log.warning("Slack limits our events: more than 30,000 in an hour for a workspace")
        return Response(status_code=200)
    answer = await bolt.async_dispatch(asked)
    if answer.status == 404 and KEPT in asked.context:
        return Response(status_code=200)
    return to_starlette_response(answer)
