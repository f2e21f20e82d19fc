"""Before anything else is done with a request: is it of a workspace we are in, and are we still?"""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from adapters.slack import inbound
from adapters.slack.workspaces import Workspaces
from gateway.ports import InstallationsDoor

log = logging.getLogger(__name__)

MAX_NAMED = 1000  # workspaces whose first request was logged
EVER = datetime.max.replace(tzinfo=UTC)


class Admission:
    """With one workspace everybody is let in: Slack signs with the secret of an app that is installed there alone."""

    def __init__(self, door: InstallationsDoor, workspaces: Workspaces) -> None:
        self._door = door
        self._workspaces = workspaces
        self._named: set[str] = set()

    async def turned_away(self, body: Mapping[str, Any]) -> bool:
        """True: it is acknowledged, and nothing else is done with it. A removal is on disk then.

        Raises `DatabaseAway`.
        """
        if not self._workspaces.many or body.get("type") == "url_verification":
            return False
        account = inbound.installed_in(body)
        if (at := inbound.removed_at(body)) is not None:
            # Slack's time is in whole seconds. A late repeat of the event must not remove what was installed since.
            before = datetime.fromtimestamp(at + 1, UTC) if at else EVER
            await self._door.remove("slack", account, before=before)
            return True
        if await self._workspaces.knows(account):
            return False
        if account not in self._named and len(self._named) < MAX_NAMED:
            self._named.add(account)
            log.warning("requests of the workspace %s are not answered: the app is not installed there", account or "?")
        return True
