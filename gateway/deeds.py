"""What the agent used for a reply, as one quiet line: tools, and where it looked. Pure.

Only what was heard: after a crash, or of the time before a decision, it says nothing.
"""

from collections.abc import Sequence

from gateway.events import AgentEvent, Searched, ToolUsed

MOST = 5  # of each kind
MAX_NAME = 60
MAX_KEPT = 100  # of each kind, whatever a platform tells


class Deeds:
    def __init__(self) -> None:
        self._tools: dict[str, None] = {}
        self._sources: dict[str, None] = {}

    def hear(self, event: AgentEvent) -> None:
        match event:
            case ToolUsed(name=name):
                self._keep(self._tools, name)
            case Searched(sources=sources):
                for source in sources:
                    self._keep(self._sources, source)
            case _:
                pass

    def _keep(self, known: dict[str, None], name: str) -> None:
        if len(known) < MAX_KEPT:
            known[name] = None

    def line(self) -> str:
        """Empty: nothing was used."""
        parts = [("Used ", list(self._tools)), ("Sources: ", list(self._sources))]
        return " · ".join(label + _listed(names) for label, names in parts if names)


def _listed(names: Sequence[str]) -> str:
    more = [f"{len(names) - MOST} more"] if len(names) > MOST else []
    return ", ".join([*(name[:MAX_NAME] for name in names[:MOST]), *more])
