"""The `chat.*` methods and what a response_url does: writing into the workspace as the app."""

from collections.abc import Callable
from typing import Any

from adapters.sandbox import cast
from adapters.sandbox.blocks import check_blocks, with_block_ids
from adapters.sandbox.errors import SlackSaysNo
from adapters.sandbox.state import Thing
from adapters.sandbox.workspace import Workspace

POST_TEXT = 40_000
UPDATE_TEXT = 4_000  # where posting truncates, updating fails


class Chat:
    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def methods(self) -> dict[str, Callable[[Thing], Thing]]:
        return {
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "chat.delete": self._delete,
            "chat.postEphemeral": self._post_ephemeral,
        }

    def respond(self, hook: Thing, arguments: Thing) -> None:
        """What Slack does with the body an app sends to a response_url."""
        channel, ts, user = hook["channel"], hook["ts"], hook["user"]
        post, whisper = self._workspace.posted(channel, ts), self._workspace.whispered(user, ts)
        if _true(arguments.get("delete_original")):
            if post is not None:
                self._workspace.delete(post)
            self._workspace.unwhisper(ts)
            return
        content = content_of(arguments, POST_TEXT)
        if _true(arguments.get("replace_original")):
            if post is not None:
                self._workspace.edit(post, {"blocks": []} | content)
            elif whisper is not None:
                self._workspace.rewhisper(whisper, {"blocks": []} | content)
            return
        thread = self._thread(channel, arguments.get("thread_ts"))
        if arguments.get("response_type") == "in_channel":
            self._workspace.post(channel, user=cast.BOT_USER, thread_ts=thread, **content)
        else:
            self._workspace.whisper(user, channel, thread_ts=thread, **content)

    def _post(self, arguments: Thing) -> Thing:
        channel = self._workspace.channel(required(arguments, "channel")).id
        content = content_of(arguments, POST_TEXT)
        thread = self._thread(channel, arguments.get("thread_ts"))
        extra: Thing = {name: arguments.get(name) for name in ("username", "icon_url", "icon_emoji")}
        if thread and _true(arguments.get("reply_broadcast")):
            extra["subtype"] = "thread_broadcast"
        post = self._workspace.post(
            channel, user=cast.BOT_USER, thread_ts=thread, metadata=_metadata(arguments), **content, **extra
        )
        return {"channel": channel, "ts": post["ts"], "message": as_message(post)}

    def _update(self, arguments: Thing) -> Thing:
        channel = self._workspace.channel(required(arguments, "channel")).id
        post = self._workspace.own_post(channel, required(arguments, "ts"), "cant_update_message")
        changes = content_of(arguments, UPDATE_TEXT)
        if (metadata := _metadata(arguments)) is not None:
            changes["metadata"] = metadata
        edited = self._workspace.edit(post, changes)
        return {
            "channel": channel,
            "ts": edited["ts"],
            "text": edited["text"],
            "message": as_message(edited),
        }

    def _delete(self, arguments: Thing) -> Thing:
        channel = self._workspace.channel(required(arguments, "channel")).id
        post = self._workspace.own_post(channel, required(arguments, "ts"), "cant_delete_message")
        self._workspace.delete(post)
        return {"channel": channel, "ts": post["ts"]}

    def _post_ephemeral(self, arguments: Thing) -> Thing:
        channel = self._workspace.channel(required(arguments, "channel"))
        user = required(arguments, "user")
        if user not in channel.members:
            raise SlackSaysNo("user_not_in_channel")
        thread = self._thread(channel.id, arguments.get("thread_ts"))
        whisper = self._workspace.whisper(user, channel.id, thread_ts=thread, **content_of(arguments, POST_TEXT))
        return {"message_ts": whisper["ts"]}

    def _thread(self, channel: str, thread_ts: str | None) -> str | None:
        """The root of the thread that `thread_ts` belongs to."""
        if not thread_ts:
            return None
        root = self._workspace.posted(channel, str(thread_ts))
        if root is None:
            raise SlackSaysNo("thread_not_found")
        return str(root.get("thread_ts") or root["ts"])


def as_message(post: Thing) -> Thing:
    """A post as Slack shows it inside an answer or a payload."""
    return {name: value for name, value in post.items() if name != "channel"}


def content_of(arguments: Thing, most: int) -> Thing:
    """What a message shows. Raises what Slack says of one that shows nothing, or too much."""
    content: Thing = {}
    text = arguments.get("markdown_text") or arguments.get("text")
    if text is not None:
        if len(str(text)) > most:
            raise SlackSaysNo("msg_too_long")
        content["text"] = str(text)
    blocks: Any = arguments.get("blocks")
    if arguments.get("markdown_text"):
        if blocks:
            raise SlackSaysNo("markdown_text_conflict")
        blocks = [{"type": "markdown", "text": str(text)}]
    if blocks is not None:
        check_blocks(blocks)
        content["blocks"] = with_block_ids(blocks)
    if not content.get("text") and not content.get("blocks"):
        raise SlackSaysNo("no_text")
    return content


def _metadata(arguments: Thing) -> Any:
    metadata = arguments.get("metadata")
    if metadata is None:
        return None
    if not isinstance(metadata, dict) or not {"event_type", "event_payload"} <= metadata.keys():
        raise SlackSaysNo("invalid_metadata_format")
    return metadata


def required(arguments: Thing, name: str) -> str:
    if not arguments.get(name):
        raise SlackSaysNo("invalid_arguments", f"[ERROR] missing required field: {name}")
    return str(arguments[name])


def _true(value: Any) -> bool:
    return value in (True, 1, "1", "true", "True")
