"""The `conversations.*`, `users.*` and `usergroups.*` methods: reading the workspace and who is in it."""

from collections.abc import Callable

from adapters.sandbox import cast
from adapters.sandbox.errors import SlackSaysNo
from adapters.sandbox.slack_chat import as_message
from adapters.sandbox.state import Thing
from adapters.sandbox.workspace import Workspace


class Directory:
    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def methods(self) -> dict[str, Callable[[Thing], Thing]]:
        return {
            "conversations.info": self._info,
            "conversations.open": self._open,
            "conversations.members": self._members,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
            "users.info": self._user,
            "usergroups.users.list": self._group,
        }

    def _info(self, arguments: Thing) -> Thing:
        return {"channel": _as_channel(self._workspace.channel(str(arguments.get("channel"))))}

    def _open(self, arguments: Thing) -> Thing:
        users = [one for one in str(arguments.get("users") or "").split(",") if one]
        if arguments.get("channel"):
            channel = self._workspace.channel(str(arguments["channel"]))
        elif len(users) == 1 and users[0] in cast.STAFF:
            channel = cast.CHANNELS[cast.dm_of(users[0])]
        else:
            raise SlackSaysNo("user_not_found" if users else "users_list_not_supplied")
        return {"channel": _as_channel(channel) if arguments.get("return_im") else {"id": channel.id}}

    def _members(self, arguments: Thing) -> Thing:
        channel = self._workspace.channel(str(arguments.get("channel")))
        return {"members": list(channel.members), "response_metadata": {"next_cursor": ""}}

    def _history(self, arguments: Thing) -> Thing:
        channel = self._workspace.channel(str(arguments.get("channel"))).id
        all_posts = self._workspace.posts(channel)
        posts = [one for one in all_posts if not one.get("thread_ts") or one.get("subtype") == "thread_broadcast"]
        return _page(list(reversed(posts)), arguments)

    def _replies(self, arguments: Thing) -> Thing:
        channel = self._workspace.channel(str(arguments.get("channel"))).id
        root = str(arguments.get("ts"))
        posts = [post for post in self._workspace.posts(channel) if root in (post["ts"], post.get("thread_ts"))]
        if not posts:
            raise SlackSaysNo("thread_not_found")
        return _page(posts, arguments)

    def _user(self, arguments: Thing) -> Thing:
        person = cast.PEOPLE.get(str(arguments.get("user")))
        if person is None:
            raise SlackSaysNo("user_not_found")
        profile = {"real_name": person.name, "display_name": person.username}
        return {
            "user": {
                "id": person.id,
                "team_id": cast.TEAM,
                "name": person.username,
                "deleted": False,
                "real_name": person.name,
                "tz": "Etc/UTC",
                "profile": profile,
                "is_bot": person.is_bot,
                "is_restricted": False,
                "is_ultra_restricted": False,
            }
        }

    def _group(self, arguments: Thing) -> Thing:
        members = cast.GROUPS.get(str(arguments.get("usergroup")))
        if members is None:
            raise SlackSaysNo("no_such_subteam")
        return {"users": members}


def _as_channel(channel: cast.Channel) -> Thing:
    shared: Thing = {
        "id": channel.id,
        "is_im": channel.is_im,
        "is_channel": not channel.is_im,
        "is_private": channel.is_im,
        "is_archived": False,
        "is_ext_shared": False,
        "is_org_shared": False,
        "is_member": True,
        "context_team_id": cast.TEAM,
    }
    return shared | ({"user": channel.members[0]} if channel.is_im else {"name": channel.name})


def _page(posts: list[Thing], arguments: Thing) -> Thing:
    oldest, latest = str(arguments.get("oldest") or "0"), str(arguments.get("latest") or "99999999999")
    inclusive = str(arguments.get("inclusive", "0")) in {"1", "true", "True"}
    with_metadata = str(arguments.get("include_all_metadata", "0")) in {"1", "true", "True"}
    limit = int(arguments.get("limit") or 100)
    inside = [post for post in posts if oldest < post["ts"] < latest or (inclusive and post["ts"] in (oldest, latest))]
    shown = [as_message(post) for post in inside[:limit]]
    if not with_metadata:
        for message in shown:
            message.pop("metadata", None)
    return {"messages": shown, "has_more": len(inside) > limit, "response_metadata": {"next_cursor": ""}}
