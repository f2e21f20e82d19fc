"""`/docs` and `/openapi.json`: the API on one page of our own, without a script and without anything from elsewhere."""

import json
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.web import bearer

POLICY = {
    **bearer.NOT_CACHED,
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem}"
    "pre{background:#f4f4f4;padding:.75rem;overflow-x:auto}code{background:#f4f4f4}h2{margin-top:2.5rem}"
)


def routes(schema: Callable[[], dict[str, Any]], *, token: str, open_without: bool) -> Sequence[BaseRoute]:
    """For whoever sends OPS__TOKEN, as the metrics are."""

    async def docs(_request: Request) -> Response:
        return HTMLResponse(_page(schema()), headers=POLICY)

    async def openapi(_request: Request) -> Response:
        return JSONResponse(schema(), headers=bearer.NOT_CACHED)

    return [
        Route(path, bearer.operations(answer, "is no page", token=token, open_without=open_without), methods=["GET"])
        for path, answer in (("/docs", docs), ("/openapi.json", openapi))
    ]


def _page(schema: dict[str, Any]) -> str:
    info = schema["info"]
    title = escape(info["title"])
    intro = f"<h1>{title}: the API</h1><p>{escape(info['description'])} Machines read <code>/openapi.json</code>.</p>"
    asks = "<p>Each request carries <code>Authorization: Bearer ...</code>.</p>"
    body = "".join(_operations(schema))
    models = "".join(_models(schema))
    head = f'<meta charset="utf-8"><title>{title}</title><meta name="viewport" content="width=device-width">'
    return f'<!doctype html><html lang="en">{head}<style>{STYLE}</style>{intro}{asks}{body}{models}</html>'


def _operations(schema: dict[str, Any]) -> Iterator[str]:
    base = schema["servers"][0]["url"]
    for path, methods in schema["paths"].items():
        for method, told in methods.items():
            yield f"<h2><code>{method.upper()} {escape(base + path)}</code></h2><p>{escape(told.get('summary', ''))}. "
            yield f"{escape(told.get('description', ''))}</p>"
            for one in told.get("parameters", []):
                yield f"<p><code>{escape(one['name'])}</code> ({one['in']}): {escape(one.get('description', ''))}</p>"
            if body := told.get("requestBody"):
                yield f"<p>Body: {_named(body)}</p>"
            answers = ((status, _named(answer)) for status, answer in sorted(told["responses"].items()))
            yield "<ul>" + "".join(f"<li>{status}: {what}</li>" for status, what in answers) + "</ul>"


def _models(schema: dict[str, Any]) -> Iterator[str]:
    for name, model in schema["components"]["schemas"].items():
        text = json.dumps(model, indent=2, ensure_ascii=False)
        yield f'<h2 id="{escape(name)}">{escape(name)}</h2><pre>{escape(text)}</pre>'


def _named(what: dict[str, Any]) -> str:
    """A link to the model of a body or an answer."""
    bodies: list[dict[str, Any]] = list(what.get("content", {}).values())
    model = bodies[0].get("schema", {}) if bodies else {}
    many = "a list of " if model.get("type") == "array" else ""
    name = escape((model.get("items") or model).get("$ref", "").rpartition("/")[2])
    return f'{many}<a href="#{name}">{name}</a>' if name else escape(what.get("description", ""))
