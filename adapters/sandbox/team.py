"""One workspace with all that is in it. Both are made alike; which team it is, is said where it meets the world."""

from collections.abc import Callable

import httpx

from adapters.sandbox import cast, slack_payloads
from adapters.sandbox.faults import Faults
from adapters.sandbox.line import Line
from adapters.sandbox.settings import SandboxSettings
from adapters.sandbox.slack_api import SlackApi
from adapters.sandbox.slack_files import Files
from adapters.sandbox.slack_streams import Streams
from adapters.sandbox.state import Notebook, Shelf, Thing
from adapters.sandbox.verbs import Colleague
from adapters.sandbox.views import Views
from adapters.sandbox.workspace import Workspace


class Team:
    def __init__(
        self,
        id: str,
        settings: SandboxSettings,
        notes: Notebook | Shelf,
        line: Line,
        faults: Faults,
        clock: Callable[[], float],
    ) -> None:
        self.id = id
        self._clock = clock
        self.line = line
        self.workspace = Workspace(notes, clock)
        self.views = Views(notes)
        self.streams = Streams(notes, self.workspace, clock)
        self.files = Files(notes, settings)
        self.colleague = Colleague(settings, self.workspace, self.views, self.files, self.line, clock)
        self.api = SlackApi(self.workspace, self.views, self.streams, faults, self.files, id)

    async def happens(self, event: Thing) -> httpx.Response:
        """Something that Slack tells the app, and nobody did in the workspace's own window."""
        ts = self.workspace.next_ts()
        at = int(self._clock())
        return await self.line.slack_event(
            slack_payloads.event(event, event_id=f"Ev0{ts.replace('.', '')}", event_time=at)
        )

    def state(self) -> Thing:
        return {
            "channels": {id: [self._seen(post) for post in self.workspace.posts(id)] for id in cast.CHANNELS},
            "ephemerals": self._ephemerals(),
            "modals": self.views.by_user(),
            "homes": self.views.homes(),
            "statuses": self.streams.statuses(),
        }

    def _ephemerals(self) -> dict[str, list[Thing]]:
        shown: dict[str, list[Thing]] = {user: [] for user in cast.STAFF}
        for whisper in self.workspace.whispers():
            names = ("channel", "ts", "thread_ts", "text", "blocks")
            shown[whisper["to"]].append({name: whisper.get(name) for name in names})
        return shown

    def _seen(self, post: Thing) -> Thing:
        streams = self.streams.state(post["channel"], post["ts"]) == "streaming"
        return _seen(post) | ({"streaming": True} if streams else {})


def _seen(post: Thing) -> Thing:
    author = {"bot": post["bot_id"]} if "bot_id" in post else {"user": post["user"]}
    shown = ("ts", "thread_ts", "text", "blocks", "metadata", "username")
    seen = author | {name: post.get(name) for name in shown}
    files = [{name: file[name] for name in ("id", "name", "mimetype", "size")} for file in post.get("files") or []]
    return seen | {"files": files} | {"edited": "edited" in post}
