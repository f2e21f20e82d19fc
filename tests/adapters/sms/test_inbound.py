"""Twilio's webhooks, read: which are believed, and what a person texted."""

import contextlib
import json
from base64 import b64encode
from hashlib import sha1
from hmac import new as hmac
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings, strategies as st
from starlette.datastructures import FormData

from adapters.sms import inbound
from gateway.errors import Foreign, NotProven, Unreadable
from gateway.events import Delivery, DeliveryReported, Identity, MediaRef, MessageReceived, Proof, ThreadRef

DATA = Path(__file__).parents[4] / "shared/data/sms"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="shared test data not present: ../shared/data")

URL = "https://gateway.example/sms/inbound"
ACCOUNT = "AC00000000000000000000000000000000"
OURS = "+15005550199"
ALICE = "+15005550100"
TEXT = {"MessageSid": "SM1", "AccountSid": ACCOUNT, "From": ALICE, "To": OURS, "Body": "hello", "NumMedia": "0"}

Pairs = list[tuple[str, str]]


def signature(pairs: Pairs, *, url: str = URL, token: str = "token") -> str:
    """As Twilio documents it: the address, then every name and value, sorted, each pair once."""
    text = url + "".join(name + value for name, value in sorted(set(pairs)))
    return b64encode(hmac(token.encode(), text.encode(), sha1).digest()).decode()


def proven(pairs: Pairs, said: str | None, *, url: str = URL, tokens: tuple[str, ...] = ("token",)) -> FormData:
    return inbound.proven_form(url, urlencode(pairs).encode(), said, tokens=tokens, account_sid=ACCOUNT)


PLAIN: Pairs = [*TEXT.items()]

# --- proof -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pairs",
    [
        PLAIN,
        [*PLAIN, ("FromCity", ""), ("ToZip", "")],
        [*PLAIN, ("Tag", "b"), ("Tag", "a"), ("Tag", "a")],
        [*PLAIN, ("Something", "new & odd = 1")],
        [("AccountSid", ACCOUNT), ("Body", "ça va ? 👍 <b>&amp;")],
    ],
    ids=["plain", "blank fields", "repeated fields", "unknown fields", "not ASCII"],
)
def test_what_twilio_signed_is_believed(pairs: Pairs) -> None:
    assert sorted(proven(pairs, signature(pairs)).multi_items()) == sorted(pairs)


@pytest.mark.parametrize(
    "url",
    [
        "https://gateway.example/sms/inbound?a=1&b=%20x",
        "https://gateway.example:443/sms/inbound",
        "https://gateway.example:8443/sms/inbound",
        "http://127.0.0.1:8000/sms/inbound",
    ],
)
def test_the_address_is_signed_with_its_port_and_query(url: str) -> None:
    assert proven(PLAIN, signature(PLAIN, url=url), url=url)


@pytest.mark.parametrize(
    ("signed_url", "called_url"),
    [
        (URL, URL + "?a=1"),
        (URL + "?a=1&b=2", URL + "?b=2&a=1"),
        (URL, URL.replace("https", "http")),
        (URL, "https://10.0.0.7/sms/inbound"),
        (URL, URL.replace("inbound", "status")),
    ],
)
def test_a_signature_is_for_one_address_only(signed_url: str, called_url: str) -> None:
    with pytest.raises(NotProven, match="PUBLIC_URL"):
        proven(PLAIN, signature(PLAIN, url=signed_url), url=called_url)


@pytest.mark.parametrize(("token", "believed"), [("new", True), ("old", True), ("older", False), ("", False)])
def test_both_tokens_of_a_rotation_count(token: str, believed: bool) -> None:
    said = signature(PLAIN, token=token)

    if believed:
        assert proven(PLAIN, said, tokens=("new", "old"))
    else:
        with pytest.raises(NotProven):
            proven(PLAIN, said, tokens=("new", "old"))


@pytest.mark.parametrize("said", [None, "", "é", "x", signature(PLAIN).swapcase(), signature(PLAIN)[:-1]])
def test_without_a_matching_signature_nobody_is_believed(said: str | None) -> None:
    with pytest.raises(NotProven):
        proven(PLAIN, said)


@pytest.mark.parametrize(
    "changed",
    [
        [(name, "STOP" if name == "Body" else value) for name, value in PLAIN],
        PLAIN[:-1],
        [*PLAIN, ("MediaUrl0", "")],
    ],
    ids=["changed", "left out", "added blank"],
)
def test_a_form_that_was_changed_on_its_way_is_not_believed(changed: Pairs) -> None:
    with pytest.raises(NotProven):
        proven(changed, signature(PLAIN))


@pytest.mark.parametrize("account", ["AC99999999999999999999999999999999", "", ACCOUNT.lower()])
def test_what_is_signed_for_another_account_is_foreign(account: str) -> None:
    pairs = [*{**TEXT, "AccountSid": account}.items()]

    with pytest.raises(Foreign) as caught:
        proven(pairs, signature(pairs))

    assert caught.value.status == 403


def test_what_names_no_account_is_foreign() -> None:
    pairs = [pair for pair in PLAIN if pair[0] != "AccountSid"]

    with pytest.raises(Foreign):
        proven(pairs, signature(pairs))


@pytest.mark.parametrize("body", [b"\xff\xfe", "Body=é".encode(), b"&".join(b"a=%d" % n for n in range(501))])
def test_a_body_that_is_no_form_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        inbound.proven_form(URL, body, "x", tokens=["token"], account_sid=ACCOUNT)

    assert caught.value.status == 400


@pytest.mark.parametrize("body", [b"", b"{}", b"hello", b"[1]", b'{"a": "b"}', b"=", b"&&&", b"%ZZ=%"])
def test_other_bodies_are_not_believed(body: bytes) -> None:
    with pytest.raises(NotProven):
        inbound.proven_form(URL, body, "x", tokens=["token"], account_sid=ACCOUNT)


@settings(deadline=None)
@given(body=st.binary(max_size=80), said=st.none() | st.text(max_size=40))
def test_no_body_breaks_the_proof(body: bytes, said: str | None) -> None:
    with pytest.raises((NotProven, Unreadable)):
        inbound.proven_form(URL, body, said, tokens=["token"], account_sid=ACCOUNT)


values = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@settings(deadline=None)
@given(pairs=st.lists(st.tuples(values.filter(bool), values), max_size=8))
def test_any_form_that_twilio_signed_is_believed(pairs: Pairs) -> None:
    whole = [*(pair for pair in pairs if pair[0] != "AccountSid"), ("AccountSid", ACCOUNT)]

    assert proven(whole, signature(whole))


def vectors() -> list[Any]:
    """The shared ones that are SHA-1 over a form."""
    if not DATA.is_dir():
        return []
    file = json.loads((DATA / "signature_vectors.json").read_text())
    named = {vector["name"]: vector for vector in file["vectors"]}
    found = []
    for vector in file["vectors"]:
        params = vector.get("params_list") or vector.get("params")
        if isinstance(params, str):
            params = named[params.removeprefix("same as ")]["params"]
        if params and vector.get("algorithm", "HMAC_SHA1") == "HMAC_SHA1":
            pairs = [tuple(pair) for pair in params] if isinstance(params, list) else [*params.items()]
            found.append(pytest.param(file["auth_token"], vector, pairs, id=vector["name"]))
    return found


@needs_data
@pytest.mark.parametrize(("token", "vector", "pairs"), vectors())
def test_twilios_own_examples_are_believed(token: str, vector: dict[str, Any], pairs: Pairs) -> None:
    # They are of other accounts: past the signature, that is all that is wrong with them.
    expected = Foreign if vector["valid"] else NotProven

    with pytest.raises(expected):
        proven(pairs, vector["signature"], url=vector["url"], tokens=(token,))


# --- texts -------------------------------------------------------------------------------------------------


def read(ours: str = OURS, **changes: str) -> MessageReceived:
    return inbound.read(FormData(TEXT | changes), ours=ours)


def test_alice_sends_a_text() -> None:
    assert read() == MessageReceived(
        event_id="SM1",
        message_id="SM1",
        thread=ThreadRef("sms", OURS, ALICE),
        sender=Identity(channel="sms", address=ALICE, proof=Proof.CARRIER),
        text="hello",
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
        (OURS, {"To": f"whatsapp:{OURS}"}, f"whatsapp:{OURS}", False),
        (OURS, {"MessagingServiceSid": ""}, OURS, True),
    ],
)
def test_the_account_is_the_number_or_the_service_it_belongs_to(
    ours: str, changes: dict[str, str], account: str, own: bool
) -> None:
    message = read(ours, **changes)

    assert (message.thread.account, message.own_account) == (account, own)


@pytest.mark.parametrize("address", ["12345", "whatsapp:+15005550100", "rcs:alice", "+447700900123"])
def test_an_address_is_kept_as_it_came(address: str) -> None:
    message = read(From=address)

    assert message.sender.address == message.thread.key == address


def test_a_picture_without_words_is_a_message() -> None:
    message = read(Body="", NumMedia="1", MediaUrl0="https://api.twilio.com/x/ME1", MediaContentType0="image/jpeg")

    assert message.text == ""
    assert message.media == (MediaRef(where="https://api.twilio.com/x/ME1", mime_type="image/jpeg"),)


@pytest.mark.parametrize(
    ("changes", "many"),
    [
        ({"NumMedia": "2", "MediaUrl0": "a", "MediaUrl1": "b"}, 2),
        ({"NumMedia": "1", "MediaUrl0": "a", "MediaUrl1": "b"}, 1),
        ({"NumMedia": "2", "MediaUrl1": "b"}, 1),
        ({"NumMedia": "", "MediaUrl0": "a"}, 0),
        ({"NumMedia": "-1", "MediaUrl0": "a"}, 0),
        ({"NumMedia": "many", "MediaUrl0": "a"}, 0),
        ({"NumMedia": "²", "MediaUrl0": "a"}, 0),
        ({"NumMedia": "999999999", **{f"MediaUrl{n}": "a" for n in range(20)}}, 10),
    ],
)
def test_media_are_counted_with_care(changes: dict[str, str], many: int) -> None:
    assert len(read(**changes).media) == many


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
    report = inbound.read_status(FormData({"MessageSid": "SM2", "MessageStatus": said, "ErrorCode": "30007"}))

    assert report == DeliveryReported(channel="sms", provider_id="SM2", state=state, error="30007")


def test_a_report_may_name_its_text_in_the_old_way() -> None:
    assert inbound.read_status(FormData({"SmsSid": "SM2", "MessageStatus": "sent"})).provider_id == "SM2"


def test_a_report_about_nothing_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        inbound.read_status(FormData({"MessageStatus": "sent"}))
