"""Requests with their tools' schemas, which a person's changes are held against. Waits for a network."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from gateway.events import ApprovalAsked
from gateway.ports import AgentPlatform


async def told(platform: AgentPlatform, agent: str, asked: Sequence[ApprovalAsked]) -> tuple[ApprovalAsked, ...]:
    """The same requests. Of a tool that the platform says nothing of, the arguments cannot be changed."""
    return tuple(await asyncio.gather(*(_told(platform, agent, one) for one in asked)))


async def _told(platform: AgentPlatform, agent: str, asked: ApprovalAsked) -> ApprovalAsked:
    if asked.input_schema is not None:
        return asked
    return replace(asked, input_schema=await platform.input_schema(agent, asked.tool_name))
