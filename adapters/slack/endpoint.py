"""Slack's HTTP endpoint: the guard in front of bolt. What is not proven or not Slack's never reaches it."""

from collections.abc import Sequence

from slack_bolt.adapter.starlette.async_handler import to_async_bolt_request, to_starlette_response
from slack_bolt.request.async_request import AsyncBoltRequest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adapters.slack import inbound
from adapters.slack.intake import Intake
from gateway.errors import Unreadable
from gateway.ports import Clock
from gateway.web.guard import capped_body, refusing

PATH = "/slack/events"
MAX_BODY = 1024 * 1024  # bytes; Slack's own payloads stay far below


def routes(intake: Intake, secrets: Sequence[str], clock: Clock) -> list[BaseRoute]:
    """Events, interactivity and commands."""

    async def events(request: Request) -> Response:
        body = await capped_body(request, MAX_BODY)
        inbound.prove(request.headers, body, secrets=secrets, now=clock().timestamp())
        return to_starlette_response(await intake.answer(_read(request, body)))

    return [Route(PATH, refusing(events), methods=["POST"])]


def _read(request: Request, body: bytes) -> AsyncBoltRequest:
    try:
        return to_async_bolt_request(request, body)
    except Exception as error:  # bolt's parser fails in many ways on a body it does not know
        raise Unreadable("the body is not one of Slack's") from error
