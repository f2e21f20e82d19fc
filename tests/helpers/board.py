"""A channel's way to show replies growing that keeps what it is shown and does what a test tells it to."""

from gateway.events import Identity, ThreadRef
from tests.helpers.steps import Steps


class Board:
    """Places: `live opening`, `live opened` (it is shown, and we do not know it yet), `live growing`,
    `live working`."""

    def __init__(self, steps: Steps) -> None:
        self.shown: dict[str, list[str]] = {}
        self.not_here = False
        self.at_work: list[tuple[str, bool]] = []  # what was said of whom
        self.rested: list[str] = []
        self.asked_by: list[str] = []
        self._steps = steps

    async def working(self, to: ThreadRef, is_at_work: bool) -> None:
        await self._steps.at("live working")
        self.at_work.append((to.key, is_at_work))

    async def rest(self, to: ThreadRef, handle: str) -> None:
        self.rested.append(handle)

    async def open(self, to: ThreadRef, text: str, asked_by: Identity | None) -> str | None:
        await self._steps.at("live opening")
        self.asked_by.append(asked_by.address if asked_by else "")
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
