"""Misbehaving on request: the next texts or calls of Twilio's API go wrong as somebody asked for. No HTTP."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from starlette.responses import Response

from adapters.sandbox.state import Notebook, Thing
from adapters.sandbox.twilio_rules import TwilioSaysNo

Kind = Literal["late", "refused", "lost", "undelivered", "failed", "twice", "backwards", "early"]
USUAL = {"refused": (429, 20429), "lost": (500, 20500), "undelivered": (0, 30003), "failed": (0, 30007)}
WORDS = {20429: "Too Many Requests", 20500: "Internal Server Error"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFault:
    """What the next `times` meet, in the order in which it was asked for.

    Calls named `call` (or a pattern): `late` by `seconds`; `refused`, nothing done; `lost`, done and its answer is
    none. Both answer `status` with Twilio's `code`. Texts of ours: `undelivered` or `failed` with `code`; their
    callbacks `backwards`, or `early`: before the call is answered. Texts both ways: `twice`, each callback or webhook.
    """

    kind: Kind
    call: str = "messages.create"
    code: int = 0  #: 0: as usual for the kind
    status: int = 0
    seconds: float = 20.0
    times: int = 1


class TextFaults:
    def __init__(self, notes: Notebook) -> None:
        self._notes = notes

    def ask(self, fault: TextFault) -> None:
        number = f"{self._notes.raise_counter('text_fault'):012d}"
        status, code = USUAL.get(fault.kind, (0, 0))
        asked = {name: getattr(fault, name) for name in TextFault.__dataclass_fields__}
        asked |= {"status": fault.status or status, "code": fault.code or code}
        self._notes.put("text_fault", number, asked | {"number": number, "left": fault.times})

    def forget(self) -> None:
        """Everything goes well again."""
        for one in self._notes.all("text_fault"):
            self._notes.remove("text_fault", one["number"])

    def waiting(self) -> list[Thing]:
        """What has been asked for and not met yet."""
        shown = ("kind", "call", "status", "code", "left")
        return [{name: one[name] for name in shown} for one in self._notes.all("text_fault")]

    def met(self, *kinds: Kind, call: str = "") -> Thing | None:
        """The first of these kinds that waits, which is used up once. Without `call`: it is a text that meets it."""
        for one in self._notes.all("text_fault"):
            if one["kind"] in kinds and (not call or fnmatchcase(call, one["call"])):
                if one["left"] <= 1:
                    self._notes.remove("text_fault", one["number"])
                else:
                    self._notes.put("text_fault", one["number"], one | {"left": one["left"] - 1})
                return one
        return None

    async def answer(self, call: str, usual: Callable[[], Awaitable[Response]]) -> Response:
        """What a call is answered: `late`, or wrongly, or both, where that was asked for; else as usual."""
        late, wrong = self.met("late", call=call), self.met("refused", "lost", call=call)
        answer = await usual() if wrong is None or wrong["kind"] == "lost" else None
        if late is not None:
            await asyncio.sleep(late["seconds"])
        if wrong is not None:
            no = TwilioSaysNo(wrong["code"], WORDS.get(wrong["code"], "As asked for"), wrong["status"]).response()
            no.background = answer.background if answer is not None else None
            return no
        assert answer is not None
        return answer
