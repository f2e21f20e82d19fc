"""Faults on request: the next calls of Slack's Web API go wrong in a way that somebody asked for. No HTTP."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from starlette.responses import JSONResponse, Response

from adapters.sandbox.state import Notebook, Thing

EXPIRED = "expired_trigger_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What the next `times` calls of `method` meet (a name, or a pattern such as `views.*`).

    An `error` of Slack's, a `status` of HTTP, no answer for `hangs_s` seconds. `ratelimited` is a 429 with
    `Retry-After`. With `does_it` the call is carried out first: only its answer is lost.
    """

    method: str = "*"
    error: str = ""
    status: int = 0  #: 0: 429 for `ratelimited`, 500 where there is no error, else 200
    retry_after_s: int = 0
    hangs_s: float = 0.0
    does_it: bool = False
    times: int = 1
    more: Thing | None = None  #: further words of the answer, such as `needed`


class Faults:
    def __init__(self, notes: Notebook) -> None:
        self._notes = notes

    def ask(self, fault: Fault) -> None:
        """Faults of the same method are met in the order in which they were asked for."""
        number = self._notes.raise_counter("fault")
        words = {name: getattr(fault, name) for name in Fault.__dataclass_fields__}
        self._notes.put("fault", f"{number:012d}", words | {"number": f"{number:012d}", "left": fault.times})

    def forget(self) -> None:
        """Nothing goes wrong any more."""
        for one in self._notes.all("fault"):
            self._notes.remove("fault", one["number"])

    def waiting(self) -> list[Thing]:
        """What has been asked for and not met yet."""
        return [{name: one[name] for name in ("method", "error", "status", "left")} for one in self._notes.all("fault")]

    async def answer(self, method: str, usual: Callable[[], Awaitable[Response]]) -> Response:
        """What a call is answered: by the next fault that it meets, else as usual."""
        met = self._met(method)
        if met is None:
            return await usual()
        if met["does_it"]:
            await usual()
        await asyncio.sleep(met["hangs_s"])
        return _answer(met)

    def _met(self, method: str) -> Thing | None:
        for one in self._notes.all("fault"):
            if fnmatchcase(method, one["method"]):
                if one["left"] <= 1:
                    self._notes.remove("fault", one["number"])
                else:
                    self._notes.put("fault", one["number"], one | {"left": one["left"] - 1})
                return one
        return None


def _answer(met: Thing) -> Response:
    error, headers = met["error"], {}
    if met["retry_after_s"]:
        headers["Retry-After"] = str(met["retry_after_s"])
    status = met["status"] or (429 if error == "ratelimited" else 200 if error else 500)
    if not error:
        return Response("Internal Server Error", status_code=status, headers=headers, media_type="text/plain")
    answer: dict[str, Any] = {"ok": False, "error": error, **(met["more"] or {})}
    return JSONResponse(answer, status_code=status, headers=headers)
