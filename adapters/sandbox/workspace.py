"""What is in the Slack-like workspace: posts and whispers, and the passes Slack hands out for them.

Storage and Slack's own rules only: no HTTP. Views live in `views.py`.
"""

import secrets
from collections.abc import Callable
from typing import Any

from adapters.sandbox import cast
from adapters.sandbox.errors import SlackSaysNo
from adapters.sandbox.state import Notebook, Shelf, Thing

TRIGGER_LIFE_S = 3
HOOK_LIFE_S = 30 * 60
HOOK_USES = 5


class Workspace:
    def __init__(self, notes: Notebook | Shelf, clock: Callable[[], float]) -> None:
        self._notes = notes
        self._clock = clock

    def channel(self, id: str) -> cast.Channel:
        """A channel by its id; a person's id means their direct messages, as `chat.postMessage` reads it."""
        found = cast.CHANNELS.get(cast.dm_of(id) if id in cast.STAFF else id)
        if found is None:
            raise SlackSaysNo("channel_not_found")
        return found

    def next_ts(self) -> str:
        micros = self._notes.raise_counter("ts", int(self._clock() * 1_000_000))
        return f"{micros // 1_000_000}.{micros % 1_000_000:06d}"

    # --- posts ---------------------------------------------------------------------------------------------

    def post(self, channel: str, *, user: str, text: str = "", **more: Any) -> Thing:
        """Keep a message of `user` (the app's own user: a bot message); `more` is kept as given."""
        post: Thing = {"type": "message", "channel": channel, "ts": self.next_ts(), "user": user, "text": text}
        if user == cast.BOT_USER:
            post |= {"bot_id": cast.BOT, "app_id": cast.APP}
        post |= {"team": cast.TEAM} | {name: value for name, value in more.items() if value is not None}
        self._notes.put("post", f"{channel}/{post['ts']}", post)
        return post

    def posted(self, channel: str, ts: str) -> Thing | None:
        return self._notes.get("post", f"{channel}/{ts}")

    def posts(self, channel: str) -> list[Thing]:
        return [post for post in self._notes.all("post") if post["channel"] == channel]

    def own_post(self, channel: str, ts: str, refusal: str) -> Thing:
        post = self.posted(channel, ts)
        if post is None:
            raise SlackSaysNo("message_not_found")
        if "bot_id" not in post:
            raise SlackSaysNo(refusal)
        return post

    def edit(self, post: Thing, changes: Thing, *, by: str = cast.BOT_USER) -> Thing:
        edited = post | changes | {"edited": {"user": by, "ts": self.next_ts()}}
        self._notes.put("post", f"{post['channel']}/{post['ts']}", edited)
        return edited

    def delete(self, post: Thing) -> None:
        self._notes.remove("post", f"{post['channel']}/{post['ts']}")

    # --- whispers: what only one person sees ---------------------------------------------------------------

    def whisper(self, user: str, channel: str, *, text: str = "", **more: Any) -> Thing:
        given = {name: value for name, value in more.items() if value is not None}
        whisper: Thing = {"channel": channel, "to": user, "ts": self.next_ts(), "text": text} | given
        self._notes.put("whisper", whisper["ts"], whisper)
        return whisper

    def whispered(self, user: str, ts: str) -> Thing | None:
        found = self._notes.get("whisper", ts)
        return found if found is not None and found["to"] == user else None

    def whispers(self) -> list[Thing]:
        return self._notes.all("whisper")

    def rewhisper(self, whisper: Thing, changes: Thing) -> None:
        self._notes.put("whisper", whisper["ts"], whisper | changes)

    def unwhisper(self, ts: str) -> None:
        self._notes.remove("whisper", ts)

    # --- passes --------------------------------------------------------------------------------------------

    def issue_trigger(self, user: str) -> str:
        id = f"{secrets.randbelow(10**13)}.{secrets.randbelow(10**13)}.{secrets.token_hex(16)}"
        self._drop_old("trigger", HOOK_LIFE_S)
        self._notes.put("trigger", id, {"id": id, "user": user, "made": self._clock(), "used": False})
        return id

    def exchange_trigger(self, id: str) -> str:
        """Whose click it was. Once, and within three seconds."""
        trigger = self._notes.get("trigger", id)
        if trigger is None:
            raise SlackSaysNo("invalid_trigger_id")
        if trigger["used"]:
            raise SlackSaysNo("exchanged_trigger_id")
        if self._clock() - trigger["made"] > TRIGGER_LIFE_S:
            raise SlackSaysNo("expired_trigger_id")
        self._notes.put("trigger", id, trigger | {"used": True})
        return str(trigger["user"])

    def issue_hook(self, user: str, channel: str, ts: str) -> str:
        """The secret end of a response_url."""
        id = secrets.token_urlsafe(18)
        self._drop_old("hook", HOOK_LIFE_S)
        hook = {"id": id, "user": user, "channel": channel, "ts": ts, "made": self._clock(), "uses": 0}
        self._notes.put("hook", id, hook)
        return id

    def knows_hook(self, id: str) -> bool:
        return self._notes.get("hook", id) is not None

    def use_hook(self, id: str) -> Thing:
        hook = self._notes.get("hook", id)
        if hook is None or self._clock() - hook["made"] > HOOK_LIFE_S:
            raise SlackSaysNo("expired_url")
        if hook["uses"] >= HOOK_USES:
            raise SlackSaysNo("used_url")
        self._notes.put("hook", id, hook | {"uses": hook["uses"] + 1})
        return hook

    def _drop_old(self, kind: str, life_s: float) -> None:
        for thing in self._notes.all(kind):
            if self._clock() - thing["made"] > life_s:
                self._notes.remove(kind, thing["id"])
