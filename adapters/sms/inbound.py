"""Twilio's webhooks -> events. Pure: no network, no clock, no database."""

import re
from typing import Any

from starlette.datastructures import FormData

from adapters.sms import buttons, keywords, kinds, refusals
from adapters.sms.numbers import country
from adapters.sms.senders import can_be_answered
from gateway.errors import Unreadable
from gateway.events import Delivery, DeliveryReported, Identity, MediaRef, MessageReceived, Proof, ThreadRef

WHATSAPP = "whatsapp:"  # before a number there; Twilio's way to write it. `WaId` is the same number, and not needed
MAX_MEDIA = 10  # Twilio's own limit for one message
MAX_ID = 256  # characters of an id or an address; real ones have 34, and some 20
MAX_URL = 2000
COMING = ("", "received", "receiving")
STATES = {
    "accepted": Delivery.ACCEPTED,
    "scheduled": Delivery.ACCEPTED,
    "queued": Delivery.ACCEPTED,
    "sending": Delivery.ACCEPTED,
    "sent": Delivery.SENT,
    "delivered": Delivery.DELIVERED,
    "read": Delivery.DELIVERED,
    "undelivered": Delivery.FAILED,
    "failed": Delivery.FAILED,
    "canceled": Delivery.FAILED,
}


def read(form: FormData, *, ours: str, whatsapp: str = "") -> MessageReceived:
    """A text that came in. `ours` is SMS__FROM: a number, or the messaging service that our numbers belong to.

    `whatsapp`: our number there, where it is another one. WhatsApp's and RCS's addresses keep their prefix, so one
    person there and on SMS are two threads. Raises `Unreadable` when it lacks what every text has.
    """
    sid, theirs, to = (_field(form, name) for name in ("MessageSid", "From", "To"))
    if not (sid and theirs and to):
        raise Unreadable("MessageSid, From or To is missing")
    if max(len(sid), len(theirs), len(to)) > MAX_ID:
        raise Unreadable(f"MessageSid, From or To is longer than {MAX_ID} characters")
    if _field(form, "MessageStatus").lower() not in COMING:
        raise Unreadable("this is what became of a text: it belongs to /sms/status")
    account = ours if _field(form, "MessagingServiceSid") == ours else to
    pressed = buttons.read(_field(form, "ButtonPayload")) if theirs.startswith(WHATSAPP) else None
    return MessageReceived(
        event_id=sid,
        message_id=sid,
        thread=thread_between(ours=account, theirs=theirs),
        sender=Identity(
            channel="sms", address=theirs, name=_field(form, "ProfileName")[:MAX_ID], proof=proof_of(theirs)
        ),
        text=_field(form, "Body"),
        media=_media(form),
        own_account=_is_own(account, ours, whatsapp),
        answerable=can_be_answered(theirs, to, ours),
        country=country(theirs),
        pressed=pressed,
        consent=None if pressed else keywords.read(_field(form, "Body"), _field(form, "OptOutType")),
    )


def from_list(text: Any, *, ours: str, whatsapp: str = "") -> MessageReceived | None:
    """A text of Twilio's list, as its webhook would have told it. None: it lacks what every text has, or is not for us.

    Attached media are only counted there, so they are named by their number. A button is there by its words alone.
    """
    if not (text.sid and text.from_ and text.to):
        return None
    account = ours if text.messaging_service_sid and text.messaging_service_sid == ours else text.to
    return MessageReceived(
        event_id=text.sid,
        message_id=text.sid,
        thread=thread_between(ours=account, theirs=text.from_),
        sender=Identity(channel="sms", address=text.from_, proof=proof_of(text.from_)),
        text=text.body or "",
        media=tuple(MediaRef(where=f"{text.uri}#{number}") for number in range(_many(str(text.num_media or "")))),
        own_account=_is_own(account, ours, whatsapp),
        answerable=can_be_answered(text.from_, text.to, ours),
        country=country(text.from_),
        sent_at=text.date_sent or text.date_created,
        consent=keywords.read(text.body or ""),
    )


def read_status(form: FormData) -> DeliveryReported:
    """What became of a text of ours. An unknown state counts as accepted."""
    sid = _field(form, "MessageSid") or _field(form, "SmsSid")
    if not sid:
        raise Unreadable("MessageSid is missing")
    state = STATES.get(_field(form, "MessageStatus").lower(), Delivery.ACCEPTED)
    if state is not Delivery.FAILED:
        return DeliveryReported(channel="sms", provider_id=sid, state=state)
    state, why = refusals.later(_field(form, "ErrorCode"))
    return DeliveryReported(channel="sms", provider_id=sid, state=state, error=why)


def thread_between(*, ours: str, theirs: str) -> ThreadRef:
    """A pair of numbers is the thread: SMS has no thread id of its own."""
    return ThreadRef("sms", ours, theirs)


def proof_of(address: str) -> Proof:
    """WhatsApp names who is signed in there. A phone network names a caller, which can be forged.

    RCS counts as the network's word: how far it vouches for a sender is nowhere documented.
    """
    return Proof.PLATFORM if address.startswith(WHATSAPP) else Proof.CARRIER


def _is_own(account: str, ours: str, whatsapp: str) -> bool:
    return account in (ours, WHATSAPP + (whatsapp or ours))


def _media(form: FormData) -> tuple[MediaRef, ...]:
    """Each that is counted, also one without an address: it cannot be fetched, and the agent is told so."""
    return tuple(_file(form, number) for number in range(_many(_field(form, "NumMedia"))))


def _file(form: FormData, number: int) -> MediaRef:
    where, kind = _field(form, f"MediaUrl{number}"), kinds.kind_of(_field(form, f"MediaContentType{number}"))
    name = kinds.name_of(kind, number + 1)
    return MediaRef(where=where if len(where) <= MAX_URL else "", mime_type=kind, name=name)


def _many(count: str) -> int:
    return min(int(count), MAX_MEDIA) if re.fullmatch("[0-9]{1,9}", count) else 0


def _field(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""
