"""What one would write first: pydantic-ai behind a WebSocket. One conversation a socket, in memory; nothing is kept.

It has the same model, instructions and web server as the embedded one, and no tools, sessions, queue or database.
"""

import asyncio
import json
import signal
from pathlib import Path

from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from adapters.agent.server import definitions, offline
from config.serving import bind, serving

AGENT, SERVED = "support", "served"
AGENTS = Path(__file__).parents[1] / "config" / "agents"


def _app() -> Starlette:
    agent = Agent(offline.model(), instructions=definitions.load(AGENTS)[AGENT].instructions)

    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        history: list[ModelMessage] = []
        async for words in websocket.iter_text():
            async with agent.run_stream_events(words, message_history=history) as events:
                async for event in events:
                    match event:
                        case PartStartEvent(part=TextPart(content=text)):
                            await websocket.send_text(json.dumps({"delta": text}))
                        case PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
                            await websocket.send_text(json.dumps({"delta": text}))
                history = events.all_messages()
            await websocket.send_text(json.dumps({"delta": ""}))

    return Starlette(routes=[WebSocketRoute("/", talk)])


async def _serve() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    listening = bind("127.0.0.1", 0)
    async with serving(_app(), listening):
        print(SERVED, listening.getsockname()[1], flush=True)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(_serve())
