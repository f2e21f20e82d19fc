"""A call of an address outside, as a definition's `[tools.http]` says it."""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from adapters.agent.server.tool_kinds import PLACEHOLDER, HttpCall
from adapters.agent.server.tools.call import Arguments, Call, Result, ToolFailed
from adapters.agent.server.tools.outside import Answer, Request, fetch

BODY_METHODS = {"POST", "PUT", "PATCH"}


async def run(http: HttpCall, call: Call, arguments: Arguments, *, writes: bool) -> Result:
    answer = await fetch(
        rendered(http, arguments), hosts=http.hosts, secret=http, settings=call.settings, writes=writes
    )
    return _told(answer)


def _told(answer: Answer) -> Result:
    if not _is_text(answer):
        # No failure: what was asked for was done, and a model that hears otherwise does it again.
        return {"status": answer.status, "body": f"[left out: {answer.media_type}, which is no text]"}
    parsed = answer.json() if answer.text else None
    told: Result = {"status": answer.status, "body": answer.text if parsed is None else parsed}
    return told if answer.is_whole else {**told, "truncated": True}


def _is_text(answer: Answer) -> bool:
    kind = answer.media_type
    return not answer.text or not kind or kind.startswith("text/") or bool(re.search(r"json|xml|form-urlencoded", kind))


def rendered(http: HttpCall, arguments: Arguments) -> Request:
    """The request with its arguments in place. Raises `ToolFailed` for one that would make another path of it. Pure."""
    parts = urlsplit(http.url)
    rest = {name: value for name, value in arguments.items() if name not in http.in_path | http.in_query}
    has_body = http.method in BODY_METHODS
    query = [pair for pair in parts.query.split("&") if pair and _is_given(pair, arguments)]
    query = [_filled(pair, arguments) for pair in query]
    if rest and not has_body:
        query.append(urlencode({name: _written(value) for name, value in rest.items()}))
    path = _path(parts.path, arguments)
    url = urlunsplit((parts.scheme, parts.netloc, path, "&".join(query), ""))
    return Request(http.method, url, http.headers, json.dumps(rest).encode() if has_body else None)


def _path(template: str, arguments: Mapping[str, Any]) -> str:
    for name in PLACEHOLDER.findall(template):
        value = _written(arguments[name])
        if not value.strip() or {".", ".."} & set(re.split(r"[/\\]", value)):
            raise ToolFailed(f"{name} cannot be {value!r}", for_log=f"{name} would change the path")
    return _filled(template, arguments)


def _is_given(pair: str, arguments: Mapping[str, Any]) -> bool:
    return all(arguments.get(name) is not None for name in PLACEHOLDER.findall(pair))


def _filled(template: str, arguments: Mapping[str, Any]) -> str:
    return PLACEHOLDER.sub(lambda found: quote(_written(arguments[found[1]]), safe=""), template)


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
