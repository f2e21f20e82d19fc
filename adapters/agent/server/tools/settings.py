"""What tools may use of the outside. Reads no environment itself."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from adapters.agent.server.tool_kinds import SECRETS

EXA_KEY = "EXA_API_KEY"
EXA_URL = "https://api.exa.ai/search"
MAX_ANSWER_BYTES = 64 * 1024

Resolve = Callable[[str, int], Awaitable[list[str]]]


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, the preferred first. Raises `OSError`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def secrets_in(environment: Mapping[str, str]) -> Mapping[str, str]:
    """Those for tools: what this process itself lives on, such as DATABASE_URL, never comes near one."""
    return {name: value for name, value in environment.items() if name.startswith(SECRETS) or name == EXA_KEY}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSettings:
    """`secrets` are the variables of the environment that are for tools, of which one gets what its definition names.

    `allow_loopback` lets tools call this very machine: for tests and development alone.
    """

    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    exa_url: str = EXA_URL
    timeout_s: float = 10.0
    max_answer_bytes: int = MAX_ANSWER_BYTES
    allow_loopback: bool = False
    resolve: Resolve = field(default=resolve, repr=False)
