"""The phones of the sandbox and the texts on them, both ways, and what the carrier keeps of opt-outs.

Storage only: no HTTP. `inbound` and `outbound` are seen from the gateway, as Twilio says them.
"""

import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.sandbox import cast, twilio_rules
from adapters.sandbox.cast import WHATSAPP
from adapters.sandbox.pictures import Picture, Pictures
from adapters.sandbox.state import Notebook, Thing

STOP_WORDS = {"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout"}
START_WORDS = {"start", "yes", "unstop"}
STOPPED = "You have successfully been unsubscribed. You will not receive any more messages. Reply START to resubscribe."
STARTED = "You have successfully been re-subscribed to messages from this number. Reply STOP to unsubscribe."

WINDOW = timedelta(hours=24)  # in which WhatsApp lets a company write free words to who wrote to it


def new_sid(prefix: str = "SM") -> str:
    return prefix + secrets.token_hex(16)


class Phones:
    def __init__(self, notes: Notebook, clock: Callable[[], float]) -> None:
        self._notes = notes
        self._clock = clock
        self.pictures = Pictures(notes)

    def keep(
        self,
        *,
        direction: str,
        ours: str,
        theirs: str,
        body: str,
        sid: str,
        status: str,
        pictures: Sequence[Picture] = (),
        **more: Any,
    ) -> Thing:
        now = datetime.fromtimestamp(self._clock(), UTC).isoformat()
        text = {
            "sid": sid,
            "direction": direction,
            "number": theirs,
            "ours": ours,
            "body": body,
            "status": status,
            "at": now,
            "pictures": self.pictures.keep(sid, pictures, now),
            **more,
        }
        self._notes.put("text", sid, text)
        return text

    def text(self, sid: str) -> Thing | None:
        return self._notes.get("text", sid)

    def texts(self) -> list[Thing]:
        return self._notes.all("text")

    def mark(self, sid: str, status: str, error: int = 0) -> None:
        text = self.text(sid)
        if text is not None:
            self._notes.put("text", sid, text | {"status": status} | ({"error": error} if error else {}))

    def may_be_written_to(self, number: str) -> bool:
        """Everybody by text; on WhatsApp, without a template, who wrote in the last 24 hours."""
        since = (datetime.fromtimestamp(self._clock(), UTC) - WINDOW).isoformat()
        wrote = (one for one in self.texts() if one["number"] == number and one["direction"] == "inbound")
        return not number.startswith(WHATSAPP) or any(one["at"] >= since for one in wrote)

    def settle(self) -> None:
        """What was under way when the process ended has arrived meanwhile."""
        for text in self.texts():
            if text["direction"] == "outbound" and text["status"] in {"queued", "sent"}:
                self.mark(text["sid"], "delivered")

    def opted_out(self, number: str) -> bool:
        return self._notes.get("optout", number) is not None

    def all_opted_out(self) -> list[str]:
        return [one["number"] for one in self._notes.all("optout") if "number" in one]

    def obey_keyword(self, number: str, ours: str, body: str) -> None:
        """The carrier reads its own keywords, answers them itself and remembers them."""
        word = body.strip().casefold()
        if word in STOP_WORDS and not self.opted_out(number):
            self._notes.put("optout", number, {"number": number})
            self._carrier_says(number, ours, STOPPED)
        elif word in START_WORDS and self.opted_out(number):
            self._notes.remove("optout", number)
            self._carrier_says(number, ours, STARTED)

    def by_number(self) -> dict[str, list[Thing]]:
        shown: dict[str, list[Thing]] = {number: [] for number in cast.CUSTOMERS}
        for text in self.texts():
            entry = {name: text[name] for name in ("direction", "body", "sid", "at", "status")}
            entry |= {name: text[name] for name in ("buttons", "error") if text.get(name)}
            entry["segments"], entry["encoding"] = twilio_rules.counted(text["body"])
            entry["pictures"] = [{"key": one["key"], "type": one["type"]} for one in text.get("pictures", ())]
            shown.setdefault(text["number"], []).append(entry)
        return shown

    def _carrier_says(self, number: str, ours: str, body: str) -> None:
        self.keep(direction="outbound", ours=ours, theirs=number, body=body, sid=new_sid(), status="delivered")
