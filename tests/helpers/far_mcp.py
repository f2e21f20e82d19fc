"""An MCP server at the far end: streamable HTTP as revision 2025-06-18 has it, strict about what a client must send."""

import json
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

ERRORS = {"method": -32601, "params": -32602}


@dataclass
class FarMcp:
    """One tool, `add`, and `sub` on the list's second page. `streams`: it answers as server-sent events."""

    streams: bool = False
    keeps_sessions: bool = True
    version: str = "2025-06-18"
    line_end: str = "\n"
    sessions: set[str] = field(default_factory=set)
    initialized: set[str] = field(default_factory=set)
    methods: list[str] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        session_id = request.headers.get("mcp-session-id", "")
        if request.method == "DELETE":
            self.methods.append("DELETE")
            if not self.keeps_sessions:
                return Response(status_code=405)
            self.sessions.remove(session_id)
            return Response(status_code=204)
        accepted = request.headers["accept"]
        assert "application/json" in accepted
        assert "text/event-stream" in accepted
        message = json.loads(await request.body())
        self.methods.append(message["method"])
        if message["method"] == "initialize":
            return self._initialized(message)
        if request.headers.get("mcp-protocol-version") != self.version:
            return JSONResponse({"error": "no protocol version"}, 400)
        if self.keeps_sessions and session_id not in self.sessions:
            return Response(status_code=404 if session_id else 400)
        if message["method"] == "notifications/initialized":
            self.initialized.add(session_id)
            return Response(status_code=202)
        assert session_id in self.initialized
        return self._told(message, self._result(message["method"], message["params"]))

    def _initialized(self, message: dict[str, Any]) -> Response:
        assert message["params"]["clientInfo"]["name"]
        result = {"protocolVersion": self.version, "capabilities": {"tools": {}}, "serverInfo": {"name": "far"}}
        response = self._told(message, {"result": result})
        if self.keeps_sessions:
            session_id = f"session-{len(self.methods)}"
            self.sessions.add(session_id)
            response.headers["Mcp-Session-Id"] = session_id
        return response

    def _result(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        match method, params.get("name"):
            case "tools/list", None:
                is_first = params.get("cursor") is None
                page = {"tools": [{"name": "add" if is_first else "sub", "inputSchema": {"type": "object"}}]}
                return {"result": {**page, "nextCursor": "2"} if is_first else page}
            case "tools/call", "add":
                return {"result": self._add(**params["arguments"])}
            case "tools/call", name:
                return {"error": {"code": ERRORS["params"], "message": f"Unknown tool: {name}"}}
        return {"error": {"code": ERRORS["method"], "message": "Method not found"}}

    def _add(self, a: float, b: float) -> dict[str, Any]:
        if b == 0:
            return {"content": [{"type": "text", "text": "adding 0 is beneath me"}], "isError": True}
        image = {"type": "image", "data": "aGVsbG8=", "mimeType": "image/png"}
        return {"content": [{"type": "text", "text": str(a + b)}, image], "structuredContent": {"sum": a + b}}

    def _told(self, message: dict[str, Any], outcome: dict[str, Any]) -> Response:
        answer = {"jsonrpc": "2.0", "id": message["id"], **outcome}
        if not self.streams:
            return JSONResponse(answer)
        progress = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "\u2028"}}
        ping = {"jsonrpc": "2.0", "id": message["id"], "method": "ping"}
        events = [": a comment", "", *self._event(progress), *self._event(ping), *self._event(answer)]
        return Response(self.line_end.join(events) + self.line_end, media_type="text/event-stream")

    @staticmethod
    def _event(message: dict[str, Any]) -> list[str]:
        """Over several lines of data, as the format allows."""
        lines = json.dumps(message, ensure_ascii=False, indent=1).split("\n")
        return ["event: message", "id: 1", *(f"data: {line}" for line in lines), ""]
