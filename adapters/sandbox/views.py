"""The modals people have open in the workspace, and their Home tabs. Storage and Slack's own rules only: no HTTP."""

import secrets
from typing import Any

from adapters.sandbox import cast
from adapters.sandbox.blocks import check_home, check_view, with_block_ids
from adapters.sandbox.errors import SlackSaysNo
from adapters.sandbox.state import Notebook, Shelf, Thing

STACK_LIMIT = 3


class Views:
    def __init__(self, notes: Notebook | Shelf) -> None:
        self._notes = notes

    def open(self, user: str, given: Any) -> Thing:
        """Show a new modal to `user`, in place of any other."""
        view = self._complete(given, root=None)
        self.close_all(user)
        return self._keep(user, view)

    def publish(self, user: str, given: Any) -> Thing:
        """The Home tab of `user`, in place of the one before."""
        if user not in cast.STAFF:
            raise SlackSaysNo("user_not_found")
        check_home(given)
        view: Thing = given | {"id": f"V0HOME{user}", "blocks": with_block_ids(given["blocks"])}
        self._notes.put("home", user, {"user": user, "view": view})
        return view

    def home(self, user: str) -> Thing | None:
        entry = self._notes.get("home", user)
        return None if entry is None else entry["view"]

    def homes(self) -> dict[str, Thing]:
        return {entry["user"]: entry["view"] for entry in self._notes.all("home")}

    def push(self, user: str, given: Any) -> Thing:
        stack = self.stack(user)
        if len(stack) >= STACK_LIMIT:
            raise SlackSaysNo("push_limit_reached")
        return self._keep(user, self._complete(given, root=stack[0] if stack else None))

    def update(self, view_id: str, given: Any, *, hash: str | None = None) -> Thing:
        entry = self._notes.get("view", view_id)
        if entry is None:
            raise SlackSaysNo("not_found")
        old = entry["view"]
        if hash and hash != old["hash"]:
            raise SlackSaysNo("hash_conflict")
        kept = {name: old[name] for name in ("id", "root_view_id", "previous_view_id")}
        return self._keep(entry["user"], self._complete(given, root=None) | kept)

    def find(self, view_id: str) -> tuple[str, Thing] | None:
        """Who has it open, and the view."""
        entry = self._notes.get("view", view_id)
        return (entry["user"], entry["view"]) if entry is not None else None

    def by_external_id(self, external_id: str) -> str:
        for entry in self._notes.all("view"):
            if entry["view"]["external_id"] == external_id:
                return str(entry["view"]["id"])
        raise SlackSaysNo("not_found")

    def stack(self, user: str) -> list[Thing]:
        """The open modals of a person, the topmost last."""
        return [entry["view"] for entry in self._notes.all("view") if entry["user"] == user]

    def complain(self, view_id: str, errors: dict[str, str]) -> None:
        """Keep what the gateway objected to, by block; the empty name is for the whole modal."""
        entry = self._notes.get("view", view_id)
        if entry is not None:
            self._notes.put("view", view_id, entry | {"errors": errors})

    def close(self, view_id: str) -> None:
        self._notes.remove("view", view_id)

    def close_all(self, user: str) -> None:
        for view in self.stack(user):
            self.close(view["id"])

    def by_user(self) -> dict[str, list[Thing]]:
        shown: dict[str, list[Thing]] = {}
        for entry in self._notes.all("view"):
            shown.setdefault(entry["user"], []).append(entry["view"] | {"errors": entry["errors"]})
        return shown

    def _keep(self, user: str, view: Thing) -> Thing:
        self._notes.put("view", view["id"], {"user": user, "view": view, "errors": {}})
        return view

    def _complete(self, given: Any, *, root: Thing | None) -> Thing:
        check_view(given)
        id = "V0" + secrets.token_hex(5).upper()
        defaults: Thing = {
            "private_metadata": "",
            "callback_id": "",
            "external_id": "",
            "submit": None,
            "close": None,
            "clear_on_close": False,
            "notify_on_close": False,
        }
        ours: Thing = {
            "id": id,
            "team_id": cast.TEAM,
            "app_id": cast.APP,
            "app_installed_team_id": cast.TEAM,
            "bot_id": cast.BOT,
            "state": {"values": {}},
            "hash": f"{secrets.randbelow(10**10)}.{secrets.token_hex(4)}",
            "root_view_id": root["id"] if root else id,
            "previous_view_id": root["id"] if root else None,
            "blocks": with_block_ids(given["blocks"]),
        }
        complete: Thing = defaults | given | ours
        return complete
