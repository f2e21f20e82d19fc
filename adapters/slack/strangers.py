"""What Slack sends and nobody here knows is named in the log once in a process, not once for each delivery."""

import logging

log = logging.getLogger(__name__)

MOST = 100  # names; they come from outside
LONGEST = 80  # characters of one


class Strangers:
    def __init__(self) -> None:
        self._named: set[tuple[str, str]] = set()

    def note(self, kind: str, name: object = "") -> None:
        """It was acknowledged, and nothing else was done."""
        one = (kind[:LONGEST], name[:LONGEST] if isinstance(name, str) else "")
        if one in self._named or len(self._named) >= MOST:
            return
        self._named.add(one)
        log.info("Slack sent what nobody here knows (%s); it is acknowledged, and not named again", " ".join(one))
