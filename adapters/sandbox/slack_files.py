"""Files in the Slack-like workspace: kept, told of by `files.info`, and given to whoever has the app's token."""

import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from starlette.responses import Response

from adapters.sandbox.errors import NotAllowedByClient, SlackSaysNo
from adapters.sandbox.settings import SandboxSettings
from adapters.sandbox.state import Notebook, Shelf, Thing

MAX_BYTES = 20_000_000
SIGN_IN = "<!DOCTYPE html><html><head><title>Sign in | Slack</title></head><body>Sign in to Sandbox</body></html>"


@dataclass(frozen=True, slots=True)
class Upload:
    name: str
    data: bytes
    mime_type: str = "text/plain"


class Files:
    def __init__(self, notes: Notebook | Shelf, settings: SandboxSettings) -> None:
        self._notes = notes
        self._settings = settings

    def keep(self, user: str, upload: Upload) -> Thing:
        """As the message that carries it tells of it."""
        if not upload.name or len(upload.data) > MAX_BYTES:
            raise NotAllowedByClient(f"A file has a name and at most {MAX_BYTES} bytes.")
        id = "F0" + secrets.token_hex(4).upper()
        url = f"{self._settings.base}/sandbox/slack/files/{id}"
        told: Thing = {
            "id": id,
            "name": upload.name,
            "title": upload.name,
            "mimetype": upload.mime_type,
            "size": len(upload.data),
            "user": user,
            "mode": "hosted",
            "is_external": False,
            "url_private": url,
            "url_private_download": f"{url}/download",
        }
        self._notes.put("file", id, told | {"data": base64.b64encode(upload.data).decode()})
        return told

    def delete(self, id: str) -> None:
        """Its bytes go; `files.info` knows it no more."""
        self._notes.remove("file", id)

    def methods(self) -> dict[str, Callable[[Thing], Thing]]:
        return {"files.info": self._info}

    def download(self, id: str) -> Response:
        """The bytes; whose token was shown was looked at before."""
        file = self._notes.get("file", id)
        if file is None:
            return Response("", status_code=404)
        headers = {"Content-Disposition": "attachment"}
        return Response(base64.b64decode(file["data"]), media_type=file["mimetype"], headers=headers)

    def _info(self, arguments: Thing) -> Thing:
        file = self._notes.get("file", str(arguments.get("file", "")))
        if file is None:
            raise SlackSaysNo("file_not_found")
        return {"file": {name: value for name, value in file.items() if name != "data"}, "comments": []}
