"""A channel's way to show replies growing that keeps what it is shown and does what a test tells it to."""

from gateway.events import ThreadRef
from tests.helpers.steps import Steps


class Board:
    """Places: `live opening`, `live opened` (it is shown, and we do not know it yet), `live growing`."""

    def __init__(self, steps: Steps) -> None:
        self.shown: dict[str, list[str]] = {}
        self.not_here = False
        self._steps = steps

    async def open(self, to: ThreadRef, text: str) -> str | None:
        await self._steps.at("live opening")
        if self.not_here:
            return None
        handle = f"{to.key}/{len(self.shown) + 1}"
        self.shown[handle] = [text]
        await self._steps.at("live opened")
        return handle

    async def grow(self, to: ThreadRef, handle: str, text: str) -> None:
        await self._steps.at("live growing")
        self.shown[handle].append(text)

    def texts(self) -> list[list[str]]:
        """What each message showed, one after the other."""
        return list(self.shown.values())
