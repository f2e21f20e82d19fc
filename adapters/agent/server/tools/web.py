"""Web search through Exa. Its key is a variable of the environment; without it there is no web search."""

import json

import httpx

from adapters.agent.server.tool_kinds import Secret
from adapters.agent.server.tools.call import Arguments, Call, Result, ToolFailed
from adapters.agent.server.tools.outside import Request, fetch
from adapters.agent.server.tools.settings import EXA_KEY

SECRET = Secret(secret=EXA_KEY, secret_header="x-api-key")  # noqa: S106  the names, not the key
MAX_RESULTS = 10
MAX_TEXT_CHARS = 1_000


async def web_search(call: Call, arguments: Arguments) -> Result:
    """Titles, addresses and the beginning of the text of what was found."""
    query = str(arguments["query"]).strip()
    if not query:
        raise ToolFailed("query is empty: say what to look for")
    wanted = _between(1, arguments.get("num_results") or 5, MAX_RESULTS)
    body = {"query": query, "type": "auto", "numResults": wanted}
    contents = {"contents": {"text": {"maxCharacters": MAX_TEXT_CHARS}}}
    request = Request("POST", call.settings.exa_url, content=json.dumps({**body, **contents}).encode())
    host = httpx.URL(call.settings.exa_url).host
    answer = await fetch(request, hosts=(host,), secret=SECRET, settings=call.settings, writes=False)
    found = answer.json()
    results = found.get("results") if isinstance(found, dict) else None
    if not isinstance(results, list):
        raise ToolFailed("the web search answered something unreadable", for_log="an unreadable answer")
    return {"query": query, "results": [_told(one) for one in results[:wanted] if isinstance(one, dict)]}


def _between(least: int, wanted: object, most: int) -> int:
    if not isinstance(wanted, int | float):
        raise ToolFailed("num_results must be a number")
    return int(min(max(wanted, least), most))


def _told(one: dict[str, object]) -> dict[str, str]:
    told = {word: str(one.get(word) or "") for word in ("title", "url", "publishedDate")}
    return {**told, "text": str(one.get("text") or "")[:MAX_TEXT_CHARS]}
