"""Twilio's webhooks, read: what a person texted, and what became of what we sent."""

import contextlib
import json
from types import SimpleNamespace

import pytest
from hypothesis import given, settings, strategies as st
from starlette.datastructures import FormData

from adapters.sms import inbound
from gateway.errors import Unreadable
from gateway.events import Delivery, DeliveryReported, Identity, MediaRef, MessageReceived, Proof, ThreadRef
from tests.adapters.sms.test_proof import ACCOUNT as ACCOUNT, DATA, needs_data

OURS = "+15005550199"
ALICE = "+15005550100"
TEXT = {"MessageSid": "SM1", "AccountSid": ACCOUNT, "From": ALICE, "To": OURS, "Body": "hello", "NumMedia": "0"}

# --- texts -------------------------------------------------------------------------------------------------


def read(ours: str = OURS, whatsapp: str = "", **changes: str) -> MessageReceived:
    return inbound.read(FormData(TEXT | changes), ours=ours, whatsapp=whatsapp)


def test_alice_sends_a_text() -> None:
    assert read() == MessageReceived(
        event_id="SM1",
        message_id="SM1",
        thread=ThreadRef("sms", OURS, ALICE),
        sender=Identity(channel="sms", address=ALICE, proof=Proof.CARRIER),
        text="hello",
        country="US",
    )


@pytest.mark.parametrize(
    ("ours", "changes", "account", "own"),
    [
        (OURS, {}, OURS, True),
        (OURS, {"To": "+15005550142"}, "+15005550142", False),
        (OURS, {"MessagingServiceSid": "MG1"}, OURS, True),
        ("MG1", {"MessagingServiceSid": "MG1"}, "MG1", True),
        ("MG1", {"MessagingServiceSid": "MG2"}, OURS, False),
        ("MG1", {}, OURS, False),
        (OURS, {"To": f"whatsapp:{OURS}"}, f"whatsapp:{OURS}", True),
        (OURS, {"To": "whatsapp:+15005550142"}, "whatsapp:+15005550142", False),
        (OURS, {"To": "rcs:our_agent"}, "rcs:our_agent", False),
        ("MG1", {"To": "rcs:our_agent", "MessagingServiceSid": "MG1"}, "MG1", True),
        (OURS, {"MessagingServiceSid": ""}, OURS, True),
    ],
)
def test_the_account_is_the_number_or_the_service_it_belongs_to(
    ours: str, changes: dict[str, str], account: str, own: bool
) -> None:
    message = read(ours, **changes)

    assert (message.thread.account, message.own_account) == (account, own)


def test_our_whatsapp_sender_may_be_another_number() -> None:
    other = "+15005550142"

    assert read(whatsapp=other, To=f"whatsapp:{other}").own_account
    assert not read(whatsapp=other, To=f"whatsapp:{OURS}").own_account
    assert read(ours="MG1", whatsapp=other, To=f"whatsapp:{other}").own_account


@pytest.mark.parametrize(
    ("address", "proof"),
    [(f"whatsapp:{ALICE}", Proof.PLATFORM), (ALICE, Proof.CARRIER), (f"rcs:{ALICE}", Proof.CARRIER)],
)
def test_whatsapp_proves_who_wrote_and_a_name_they_chose_proves_nothing(address: str, proof: Proof) -> None:
    message = read(From=address, ProfileName="Ana", WaId="15005550199")

    assert message.sender == Identity(channel="sms", address=address, name="Ana", proof=proof)


@pytest.mark.parametrize("address", ["12345", "whatsapp:+15005550100", "rcs:alice", "+447700900123"])
def test_an_address_is_kept_as_it_came(address: str) -> None:
    message = read(From=address)

    assert message.sender.address == message.thread.key == address


def test_a_picture_without_words_is_a_message() -> None:
    message = read(Body="", NumMedia="1", MediaUrl0="https://api.twilio.com/x/ME1", MediaContentType0="image/jpeg")

    assert message.text == ""
    assert message.media == (
        MediaRef(where="https://api.twilio.com/x/ME1", mime_type="image/jpeg", name="picture.jpg"),
    )


@pytest.mark.parametrize(
    ("changes", "many"),
    [
        ({"NumMedia": "2", "MediaUrl0": "a", "MediaUrl1": "b"}, 2),
        ({"NumMedia": "1", "MediaUrl0": "a", "MediaUrl1": "b"}, 1),
        ({"NumMedia": "2", "MediaUrl1": "b"}, 2),
        ({"NumMedia": "1"}, 1),
        ({"NumMedia": "0", "MediaUrl0": "a"}, 0),
        ({"NumMedia": "9" * 5000, "MediaUrl0": "a"}, 0),
        ({"NumMedia": "", "MediaUrl0": "a"}, 0),
        ({"NumMedia": "-1", "MediaUrl0": "a"}, 0),
        ({"NumMedia": "many", "MediaUrl0": "a"}, 0),
        ({"NumMedia": "²", "MediaUrl0": "a"}, 0),
        ({"NumMedia": "999999999", **{f"MediaUrl{n}": "a" for n in range(20)}}, 10),
    ],
)
def test_media_are_counted_with_care(changes: dict[str, str], many: int) -> None:
    assert len(read(**changes).media) == many


def test_each_file_of_a_message_has_a_name_of_its_own() -> None:
    kinds = ["image/jpeg", "image/png", "text/x-vcard", "application/zip", "no type", ""]
    message = read(NumMedia="6", **{f"MediaContentType{number}": kind for number, kind in enumerate(kinds)})

    assert [media.name for media in message.media] == ["picture.jpg", "picture-2.png", "contact-3.vcf", "", "", ""]
    assert {media.where for media in message.media} == {""}


@pytest.mark.parametrize(
    ("sender", "answerable"),
    [
        (ALICE, True),
        ("+447700900123", True),
        ("+2901234", True),
        ("whatsapp:+15005550100", True),
        ("rcs:alice", True),
        ("12345", False),
        ("123", False),
        ("AMAZON", False),
        ("Acme Bank", False),
        ("5005550100", False),
        ("+0005550100", False),
        ("+1500", False),
        ("+1500555010012345", False),
        ("+1 (500) 555-0100", False),
        ("+1500555010\u0660", False),
        ("+15005550100\n", False),
        ("+", False),
        ("whatsapp:", False),
        (OURS, False),
    ],
)
def test_a_person_can_be_answered_and_a_machine_is_not(sender: str, answerable: bool) -> None:
    listed = {"sid": "SM1", "from_": sender, "to": OURS, "body": "", "num_media": "0", "uri": "/SM1.json"}
    found = inbound.from_list(
        SimpleNamespace(**listed, messaging_service_sid=None, date_sent=None, date_created=None), ours=OURS
    )

    assert read(From=sender).answerable == answerable
    assert found is not None
    assert found.answerable == answerable


@pytest.mark.parametrize(
    "changes",
    [
        {"MessageSid": "S" * 257},
        {"From": "+" + "1" * 300},
        {"To": "+" + "1" * 300},
        {"MessageStatus": "delivered"},
        {"MessageStatus": "Sent", "SmsStatus": "sent"},
    ],
)
def test_what_is_no_text_is_unreadable(changes: dict[str, str]) -> None:
    with pytest.raises(Unreadable):
        read(**changes)


def test_huge_fields_are_cut_or_left() -> None:
    message = read(ProfileName="n" * 9999, NumMedia="1", MediaUrl0="https://api.twilio.com/" + "x" * 9999)

    assert (len(message.sender.name), message.media[0].where) == (256, "")


@pytest.mark.parametrize("missing", ["MessageSid", "From", "To"])
def test_a_text_that_lacks_what_every_text_has_is_unreadable(missing: str) -> None:
    with pytest.raises(Unreadable):
        read(**{missing: ""})


@settings(deadline=None)
@given(form=st.dictionaries(st.sampled_from([*TEXT, "NumMedia", "MediaUrl0", "ProfileName"]), st.text(max_size=30)))
def test_no_form_breaks_the_reading(form: dict[str, str]) -> None:
    with contextlib.suppress(Unreadable):
        inbound.read(FormData(form), ours=OURS)
    with contextlib.suppress(Unreadable):
        inbound.read_status(FormData(form))


@needs_data
def test_every_shared_webhook_is_read() -> None:
    items = json.loads((DATA / "webhooks/inbound.json").read_text())["items"]

    for name, item in items.items():
        form = FormData(item["form"])
        if name.startswith("status_"):
            assert inbound.read_status(form).provider_id == item["form"]["MessageSid"]
        else:
            message = inbound.read(form, ours=OURS)
            assert message.text == item["form"]["Body"]
            assert len(message.media) == int(item["form"]["NumMedia"])
            assert (message.pressed is not None) is ("button" in item["expected"])


# --- reports -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("accepted", Delivery.ACCEPTED),
        ("scheduled", Delivery.ACCEPTED),
        ("queued", Delivery.ACCEPTED),
        ("sending", Delivery.ACCEPTED),
        ("sent", Delivery.SENT),
        ("delivered", Delivery.DELIVERED),
        ("Delivered", Delivery.DELIVERED),
        ("read", Delivery.DELIVERED),
        ("undelivered", Delivery.FAILED),
        ("failed", Delivery.FAILED),
        ("canceled", Delivery.FAILED),
        ("partially_delivered", Delivery.ACCEPTED),
        ("something_new", Delivery.ACCEPTED),
        ("", Delivery.ACCEPTED),
    ],
)
def test_each_state_of_a_text_means_one_of_four(said: str, state: Delivery) -> None:
    report = inbound.read_status(FormData({"MessageSid": "SM2", "MessageStatus": said, "ErrorCode": "30005"}))

    why = "30005: the number is unknown, or no longer in service" if state is Delivery.FAILED else ""
    assert report == DeliveryReported(channel="sms", provider_id="SM2", state=state, error=why)


@pytest.mark.parametrize(
    ("code", "state", "why"),
    [
        ("30001", Delivery.AGAIN, "30001: too many texts were waiting at Twilio; set SMS__RATE, or use more numbers"),
        ("30003", Delivery.AGAIN, "30003: the phone is off or out of reach"),
        ("30006", Delivery.FAILED, "30006: the number is a landline, or its carrier cannot be reached"),
        ("39999", Delivery.FAILED, "39999: Twilio says no more"),
        ("", Delivery.FAILED, "Twilio says no more"),
        ("٣", Delivery.FAILED, "٣: Twilio says no more"),
    ],
)
def test_why_a_text_failed_is_told_in_words(code: str, state: Delivery, why: str) -> None:
    report = inbound.read_status(FormData({"MessageSid": "SM2", "MessageStatus": "undelivered", "ErrorCode": code}))

    assert report == DeliveryReported(channel="sms", provider_id="SM2", state=state, error=why)


def test_a_report_may_name_its_text_in_the_old_way() -> None:
    assert inbound.read_status(FormData({"SmsSid": "SM2", "MessageStatus": "sent"})).provider_id == "SM2"


def test_a_report_about_nothing_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        inbound.read_status(FormData({"MessageStatus": "sent"}))
