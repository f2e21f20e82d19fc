"""Slack's Web API, as far as a gateway uses it: what slack_sdk's client talks to.

Answers what Slack answers, errors included. It never calls the gateway.
"""

import json
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from adapters.sandbox import cast
from adapters.sandbox.errors import SlackSaysNo
from adapters.sandbox.faults import Faults
from adapters.sandbox.slack_chat import Chat
from adapters.sandbox.slack_files import Files
from adapters.sandbox.slack_people import Directory
from adapters.sandbox.slack_streams import Streams
from adapters.sandbox.state import Thing
from adapters.sandbox.views import Views
from adapters.sandbox.workspace import Workspace

Method = Callable[[Thing], Thing]

JSON_IN_FORMS = {"blocks": "invalid_blocks_format", "view": "invalid_arguments", "metadata": "invalid_metadata_format"}


class SlackApi:
    """For one workspace; whose token it is was looked at before."""

    def __init__(
        self, workspace: Workspace, views: Views, streams: Streams, faults: Faults, files: Files, team: str
    ) -> None:
        self._team = team.encode()
        self._workspace = workspace
        self._views = views
        self._faults = faults
        chat, directory = streams.methods(Chat(workspace).methods()), Directory(workspace)
        self._methods: dict[str, Method] = chat | directory.methods() | self._view_methods() | files.methods()

    async def call(self, request: Request, arguments: Thing) -> Response:
        return await self._faults.answer(request.path_params["method"], lambda: self._call(request, arguments))

    async def _call(self, request: Request, arguments: Thing) -> Response:
        try:
            method = self._methods.get(request.path_params["method"])
            if method is None:
                raise SlackSaysNo("unknown_method")
            answer: Thing = {"ok": True} | method(arguments)
        except SlackSaysNo as no:
            answer = {"ok": False, "error": no.error}
            if no.messages:
                answer["response_metadata"] = {"messages": list(no.messages)}
        shown = JSONResponse(answer)
        return Response(bytes(shown.body).replace(cast.TEAM.encode(), self._team), media_type=shown.media_type)

    async def respond(self, request: Request) -> Response:
        """A response_url: five uses in thirty minutes, no token."""
        try:
            arguments = await arguments_of(request)
            hook = self._workspace.use_hook(request.path_params["hook"])
            Chat(self._workspace).respond(hook, arguments)
        except SlackSaysNo as no:
            return JSONResponse({"ok": False, "error": no.error}, status_code=404)
        return Response("ok", media_type="text/plain")

    def issued(self, hook: str) -> bool:
        """Is it the end of a response_url of this workspace?"""
        return self._workspace.knows_hook(hook)

    def _view_methods(self) -> dict[str, Method]:
        return {
            "auth.test": self._auth_test,
            "views.open": self._open_view,
            "views.publish": self._publish_view,
            "views.push": self._push_view,
            "views.update": self._update_view,
        }

    def _auth_test(self, _: Thing) -> Thing:
        return {
            "url": f"https://{cast.TEAM_DOMAIN}.slack.com/",
            "team": cast.TEAMS[self._team.decode()],
            "user": cast.PEOPLE[cast.BOT_USER].username,
            "team_id": cast.TEAM,
            "user_id": cast.BOT_USER,
            "bot_id": cast.BOT,
            "is_enterprise_install": False,
        }

    def _open_view(self, arguments: Thing) -> Thing:
        user = self._workspace.exchange_trigger(str(arguments.get("trigger_id", "")))
        return {"view": self._views.open(user, arguments.get("view"))}

    def _publish_view(self, arguments: Thing) -> Thing:
        return {"view": self._views.publish(str(arguments.get("user_id", "")), arguments.get("view"))}

    def _push_view(self, arguments: Thing) -> Thing:
        user = self._workspace.exchange_trigger(str(arguments.get("trigger_id", "")))
        return {"view": self._views.push(user, arguments.get("view"))}

    def _update_view(self, arguments: Thing) -> Thing:
        view_id = arguments.get("view_id") or self._views.by_external_id(str(arguments.get("external_id")))
        view = self._views.update(str(view_id), arguments.get("view") or {}, hash=arguments.get("hash"))
        return {"view": view}


async def arguments_of(request: Request) -> Thing:
    """The call's arguments, however they came: query, form or JSON."""
    arguments: Thing = dict(request.query_params)
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            body = json.loads(await request.body())
        except ValueError:
            raise SlackSaysNo("invalid_json") from None
        if not isinstance(body, dict):
            raise SlackSaysNo("json_not_object")
        arguments |= body
    else:
        arguments |= {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    return {name: _decoded(name, value) for name, value in arguments.items()}


def _decoded(name: str, value: Any) -> Any:
    if name not in JSON_IN_FORMS or not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise SlackSaysNo(JSON_IN_FORMS[name]) from None
