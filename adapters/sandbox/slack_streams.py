"""Messages that stream, and what the app says it is doing in a thread, with Slack's rules. Workspace only, no HTTP."""

from collections.abc import Callable
from typing import Any, Literal

from adapters.sandbox import cast
from adapters.sandbox.blocks import check_blocks, with_block_ids
from adapters.sandbox.errors import SlackSaysNo
from adapters.sandbox.slack_chat import required
from adapters.sandbox.state import Notebook, Shelf, Thing
from adapters.sandbox.workspace import Workspace

LIFE_S = 5 * 60  # undocumented: it dies then even with traffic
MAX_TEXT = 12_000

Method = Callable[[Thing], Thing]
State = Literal["streaming", "stopped", "stopped_by_user"]


class Streams:
    def __init__(self, notes: Notebook | Shelf, workspace: Workspace, clock: Callable[[], float]) -> None:
        self._notes = notes
        self._workspace = workspace
        self._clock = clock

    def methods(self, chat: dict[str, Method]) -> dict[str, Method]:
        """The methods of `chat`, as they are where messages stream, and those of streams."""
        return chat | {
            "chat.postMessage": self._posting(chat["chat.postMessage"]),
            "chat.update": self._updating(chat["chat.update"]),
            "chat.startStream": self._start,
            "chat.appendStream": self._append,
            "chat.stopStream": self._stop,
            "assistant.threads.setStatus": self._set_status,
        }

    def state(self, channel: str, ts: str) -> State | None:
        """None: it never streamed."""
        stream = self._notes.get("stream", f"{channel}/{ts}")
        if stream is None:
            return None
        dead = stream["state"] == "streaming" and self._clock() - stream["since"] > LIFE_S
        found: State = "stopped" if dead else stream["state"]
        return found

    def stop_by_user(self, channel: str, ts: str) -> bool:
        """A person presses stop. False: it does not stream."""
        if self.state(channel, ts) != "streaming":
            return False
        self._is_now(channel, ts, "stopped_by_user")
        return True

    def statuses(self) -> dict[str, dict[str, str]]:
        """What the app says it is doing, by channel and thread."""
        shown: dict[str, dict[str, str]] = {}
        for one in self._notes.all("status"):
            shown.setdefault(one["channel"], {})[one["thread_ts"]] = one["status"]
        return shown

    # --- streams -------------------------------------------------------------------------------------------

    def _start(self, arguments: Thing) -> Thing:
        channel = self._workspace.channel(required(arguments, "channel"))
        thread = self._thread(channel.id, required(arguments, "thread_ts"))
        if not channel.is_im:
            for name in ("recipient_user_id", "recipient_team_id"):
                if not arguments.get(name):
                    raise SlackSaysNo(f"missing_{name}")
        text = _text(arguments)
        post = self._workspace.post(channel.id, user=cast.BOT_USER, text=text, thread_ts=thread, blocks=_shown(text))
        self._is_now(channel.id, post["ts"], "streaming")
        self._rest(channel.id, thread)
        return {"channel": channel.id, "ts": post["ts"]}

    def _append(self, arguments: Thing) -> Thing:
        post = self._streaming(arguments)
        if not (more := _text(arguments)):
            raise SlackSaysNo("no_text")
        self._grow(post, more)
        return {"channel": post["channel"], "ts": post["ts"]}

    def _stop(self, arguments: Thing) -> Thing:
        post = self._streaming(arguments)
        post = self._grow(post, _text(arguments))
        changes: Thing = {}
        if (blocks := arguments.get("blocks")) is not None:
            check_blocks(blocks)
            changes["blocks"] = with_block_ids([*post["blocks"], *blocks])
        if arguments.get("metadata") is not None:
            changes["metadata"] = arguments["metadata"]
        if changes:
            self._workspace.edit(post, changes)
        self._is_now(post["channel"], post["ts"], "stopped")
        return {"channel": post["channel"], "ts": post["ts"]}

    def _streaming(self, arguments: Thing) -> Thing:
        channel = self._workspace.channel(required(arguments, "channel")).id
        post = self._workspace.own_post(channel, required(arguments, "ts"), "message_not_owned_by_app")
        match self.state(channel, post["ts"]):
            case "streaming":
                return post
            case "stopped_by_user":
                raise SlackSaysNo("stopped_by_user")
            case _:
                raise SlackSaysNo("message_not_in_streaming_state")

    def _grow(self, post: Thing, more: str) -> Thing:
        if not more:
            return post
        text = post["text"] + more
        if len(text) > MAX_TEXT:
            raise SlackSaysNo("msg_blocks_too_long")
        return self._workspace.edit(post, {"text": text, "blocks": _shown(text)})

    def _is_now(self, channel: str, ts: str, state: State) -> None:
        key = f"{channel}/{ts}"
        since = (self._notes.get("stream", key) or {"since": self._clock()})["since"]
        self._notes.put("stream", key, {"since": since, "state": state})

    # --- what else changes -----------------------------------------------------------------------------------

    def _posting(self, post: Method) -> Method:
        def posting(arguments: Thing) -> Thing:
            answer = post(arguments)
            self._rest(answer["channel"], answer["message"].get("thread_ts"))
            return answer

        return posting

    def _updating(self, update: Method) -> Method:
        def updating(arguments: Thing) -> Thing:
            channel = self._workspace.channel(required(arguments, "channel")).id
            if self.state(channel, str(arguments.get("ts"))) == "streaming":
                raise SlackSaysNo("streaming_state_conflict")
            return update(arguments)

        return updating

    # --- what the app is doing -----------------------------------------------------------------------------

    def _set_status(self, arguments: Thing) -> Thing:
        channel = self._workspace.channel(required(arguments, "channel_id")).id
        try:
            thread = self._thread(channel, required(arguments, "thread_ts"))
        except SlackSaysNo:
            raise SlackSaysNo("invalid_thread_ts") from None
        if not (status := str(arguments.get("status") or "")):
            self._rest(channel, thread)
            return {}
        said = {"channel": channel, "thread_ts": thread, "status": status}
        self._notes.put("status", f"{channel}/{thread}", said)
        return {}

    def _rest(self, channel: str, thread: str | None) -> None:
        """A message of the app ends what it says it is doing."""
        if self._notes.get("status", f"{channel}/{thread}") is not None:
            self._notes.remove("status", f"{channel}/{thread}")

    def _thread(self, channel: str, ts: str) -> str:
        root = self._workspace.posted(channel, ts)
        if root is None:
            raise SlackSaysNo("thread_not_found")
        return str(root.get("thread_ts") or root["ts"])


def _shown(text: str) -> list[Any]:
    return with_block_ids([{"type": "markdown", "text": text}]) if text else []


def _text(arguments: Thing) -> str:
    text = str(arguments.get("markdown_text") or "")
    if len(text) > MAX_TEXT:
        raise SlackSaysNo("msg_too_long")
    return text
