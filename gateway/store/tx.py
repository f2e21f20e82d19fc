"""A transaction as a deed sees it."""

import logging
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import TypeVar

from sqlmodel.ext.asyncio.session import AsyncSession

log = logging.getLogger(__name__)

T = TypeVar("T")


class Tx:
    """One transaction: its session, and what to do once it is committed."""

    def __init__(self, db: AsyncSession, context: Context) -> None:
        """`context`: that of whoever asked for it; several transactions may be made by one task."""
        self._context = context
        self.db = db
        self._after: list[tuple[Context, Callable[[], None]]] = []

    def after_commit(self, do: Callable[[], None]) -> None:
        """`do` runs when the transaction is on disk, and never if it is not."""
        self._after.append((self._context.copy(), do))

    def committed(self) -> None:
        for context, do in self._after:
            try:
                context.run(do)
            except Exception:
                # It is on disk whatever this says; the sweep finds what a hook did not wake.
                log.exception("after a commit")


Deed = Callable[[Tx], Awaitable[T]]
"""Database work alone: it waits for nothing but its own statements."""

Question = Callable[[AsyncSession], Awaitable[T]]
