"""Slack's requests, read: who may be believed, and what a person said."""

import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from adapters.slack import entities, inbound
from gateway.errors import NotProven
from gateway.events import Identity, MediaRef, MessageReceived, Proof, ThreadRef
from tests.helpers import slack

NOW = 1_790_000_000.0
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
BODY = b'{"type": "event_callback"}'
VECTOR = Path(__file__).parents[4] / "shared/data/slack/signature_vector.json"

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def signature(stamp: str, body: bytes = BODY, secret: str = SECRET) -> str:
    return "v0=" + hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()


def signed(age: int = 0, body: bytes = BODY, secret: str = SECRET) -> dict[str, str]:
    stamp = str(int(NOW) - age)
    return {"x-slack-request-timestamp": stamp, "x-slack-signature": signature(stamp, body, secret)}


# --- proof -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("age", [0, 1, 299, 300, -1, -299, -300])
def test_a_signature_within_five_minutes_is_believed(age: int) -> None:
    inbound.prove(signed(age), BODY, secrets=[SECRET], now=NOW)


@pytest.mark.parametrize("age", [301, 3600, -301, -302, -86400])
def test_an_older_one_or_one_from_the_future_is_not(age: int) -> None:
    with pytest.raises(NotProven, match="clock"):
        inbound.prove(signed(age), BODY, secrets=[SECRET], now=NOW)


STAMP = str(int(NOW))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-slack-request-timestamp": STAMP},
        {"x-slack-signature": signature(STAMP)},
        {"x-slack-request-timestamp": STAMP, "x-slack-signature": ""},
        {"x-slack-request-timestamp": "", "x-slack-signature": signature("")},
        {"x-slack-request-timestamp": "abc", "x-slack-signature": signature("abc")},
        {"x-slack-request-timestamp": f"-{STAMP}", "x-slack-signature": signature(f"-{STAMP}")},
        {"x-slack-request-timestamp": f"{STAMP}.0", "x-slack-signature": signature(f"{STAMP}.0")},
        {"x-slack-request-timestamp": f" {STAMP}", "x-slack-signature": signature(f" {STAMP}")},
        {"x-slack-request-timestamp": "١٧٩٠٠٠٠٠٠٠", "x-slack-signature": signature("١٧٩٠٠٠٠٠٠٠")},
        {"x-slack-request-timestamp": "²", "x-slack-signature": signature("²")},
        {"x-slack-request-timestamp": "9" * 5000, "x-slack-signature": signature("9" * 5000)},
        {"x-slack-request-timestamp": STAMP, "x-slack-signature": "v0=" + "é" * 64},
        {"x-slack-request-timestamp": STAMP, "x-slack-signature": signature(STAMP).upper()},
        {"x-slack-request-timestamp": STAMP, "x-slack-signature": signature(STAMP)[3:]},
        {"x-slack-request-timestamp": STAMP, "x-slack-signature": signature(STAMP)[:-1]},
        {"x-slack-request-timestamp": STAMP, "x-slack-signature": signature(STAMP, b"another body")},
        {"x-slack-request-timestamp": STAMP, "x-slack-signature": signature(STAMP, secret="another secret")},
        {"x-slack-request-timestamp": str(int(NOW) - 1), "x-slack-signature": signature(STAMP)},
    ],
)
def test_without_a_usable_signature_nobody_is_believed(headers: dict[str, str]) -> None:
    with pytest.raises(NotProven):
        inbound.prove(headers, BODY, secrets=[SECRET], now=NOW)


@pytest.mark.parametrize(("secret", "believed"), [("new", True), ("old", True), ("older", False)])
def test_both_secrets_of_a_rotation_count(secret: str, believed: bool) -> None:
    headers = signed(secret=secret)

    if believed:
        inbound.prove(headers, BODY, secrets=["new", "old"], now=NOW)
    else:
        with pytest.raises(NotProven):
            inbound.prove(headers, BODY, secrets=["new", "old"], now=NOW)


def test_without_a_secret_nobody_is_believed() -> None:
    with pytest.raises(NotProven):
        inbound.prove(signed(secret=""), BODY, secrets=[], now=NOW)


@pytest.mark.skipif(not VECTOR.is_file(), reason="shared test data not present: ../shared/data")
def test_slacks_published_example_is_believed() -> None:
    vector = json.loads(VECTOR.read_text())
    headers = {"x-slack-request-timestamp": vector["timestamp"], "x-slack-signature": vector["signature"]}

    inbound.prove(
        headers, vector["body"].encode(), secrets=[vector["signing_secret"]], now=float(vector["timestamp"]) + 10
    )


@settings(deadline=None)
@given(stamp=st.text(max_size=14), said=st.text(max_size=80), body=st.binary(max_size=50))
def test_no_header_breaks_the_proof(stamp: str, said: str, body: bytes) -> None:
    with pytest.raises(NotProven):
        inbound.prove({"x-slack-request-timestamp": stamp, "x-slack-signature": said}, body, secrets=["s"], now=NOW)


# --- reading -----------------------------------------------------------------------------------------------


def said(**event: Any) -> dict[str, Any]:
    """A message in a DM with the bot U0BOT; None leaves a word out."""
    whole = {"type": "message", "channel": "D0ALICE", "channel_type": "im", "user": "U0ALICE", "ts": "1.0001"} | event
    return {
        "type": "event_callback",
        "team_id": "T0TEAM",
        "event_id": "Ev1",
        "authorizations": [{"team_id": "T0TEAM", "user_id": "U0BOT", "is_bot": True}],
        "event": {name: value for name, value in whole.items() if value is not None},
    }


def read(**event: Any) -> MessageReceived | None:
    return inbound.read(said(**event))


def test_alice_writes_to_the_bot_in_a_direct_message() -> None:
    assert read(text="Where is order A-1001?") == MessageReceived(
        event_id="Ev1",
        message_id="T0TEAM:D0ALICE:1.0001",
        thread=ThreadRef("slack", "T0TEAM", "D0ALICE:1.0001"),
        sender=Identity(channel="slack", account="T0TEAM", address="U0ALICE", proof=Proof.PLATFORM),
        text="Where is order A-1001?",
    )


IN_CHANNEL = {"channel": "C0SHOP", "channel_type": "channel"}


@pytest.mark.parametrize(
    ("event", "key", "addressed"),
    [
        ({}, "D0ALICE:1.0001", True),
        ({"thread_ts": "0.9"}, "D0ALICE:0.9", True),
        ({"channel_type": None}, "D0ALICE:1.0001", True),
        ({"type": "app_mention", **IN_CHANNEL}, "C0SHOP:1.0001", True),
        ({"type": "app_mention", "channel": "C0SHOP", "channel_type": None}, "C0SHOP:1.0001", True),
        ({"type": "app_mention", "thread_ts": "0.9", **IN_CHANNEL}, "C0SHOP:0.9", True),
        ({"thread_ts": "0.9", **IN_CHANNEL}, "C0SHOP:0.9", False),
        ({"thread_ts": "0.9", "channel": "G0PRIV", "channel_type": "group"}, "G0PRIV:0.9", False),
    ],
)
def test_the_thread_is_the_conversation(event: dict[str, Any], key: str, addressed: bool) -> None:
    message = read(text="hello", **event)

    assert message is not None
    assert (message.thread.key, message.addressed) == (key, addressed)


def test_a_mention_and_the_message_it_stands_in_are_one_message() -> None:
    mention = read(type="app_mention", text="<@U0BOT> hi", thread_ts="0.9", **IN_CHANNEL)
    message = read(text="<@U0BOT> hi", thread_ts="0.9", **IN_CHANNEL)

    assert mention is not None
    assert message is not None
    assert mention.message_id == message.message_id


@pytest.mark.parametrize("subtype", ["file_share", "thread_broadcast", "me_message"])
def test_what_a_person_may_write_in_another_way_is_taken(subtype: str) -> None:
    assert read(text="hi", subtype=subtype) is not None


@pytest.mark.parametrize(
    "event",
    [
        {"subtype": "bot_message", "bot_id": "B1", "user": None},
        {"bot_id": "B1"},
        {"bot_id": "B1", "user": "U0BOT"},
        {"subtype": "message_changed"},
        {"subtype": "message_deleted"},
        {"subtype": "channel_join"},
        {"subtype": "channel_leave"},
        {"subtype": ["file_share"]},
        {"user": None},
        {"user": ""},
        {"user": {"id": "U0ALICE"}},
        {"channel": None},
        {"ts": None},
        {"ts": 1.0001},
        {"type": "reaction_added"},
        {"type": ["message"]},
        IN_CHANNEL,
        {"channel": "C0SHOP", "channel_type": None},
    ],
)
def test_what_no_customer_wrote_to_us_is_none_of_our_business(event: dict[str, Any]) -> None:
    assert read(**({"text": "hi"} | event)) is None


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"type": "url_verification", "challenge": "x"},
        {"type": "event_callback"},
        {"type": "event_callback", "event": []},
        {"type": "event_callback", "event": "message"},
        {"type": "block_actions", "event": said()["event"]},
        {"event": said()["event"]},
    ],
)
def test_what_is_no_event_callback_is_none_of_our_business(body: dict[str, Any]) -> None:
    assert inbound.read(body) is None


@settings(deadline=None)
@given(body=anything, event=anything)
def test_no_body_breaks_the_reading(body: Any, event: Any) -> None:
    inbound.read({"type": "event_callback", "event": event})
    inbound.read(body if isinstance(body, dict) else {})
    who = inbound.clicker({"user": event, "team": body})
    inbound.written({"state": {"values": event}}, "reason")

    assert who.proof is Proof.PLATFORM


@settings(deadline=None)
@given(event=st.dictionaries(st.sampled_from(["text", "ts", "files", "team", "user_team", "thread_ts"]), anything))
def test_no_odd_word_in_a_message_breaks_the_reading(event: dict[str, Any]) -> None:
    message = read(**event)

    assert message is None or isinstance(message.text, str)


def test_a_colleague_of_another_company_keeps_their_own_team() -> None:
    message = read(text="hi", user_team="T0OTHER", team="T0TEAM")

    assert message is not None
    assert (message.sender.account, message.thread.account) == ("T0OTHER", "T0TEAM")


def test_without_an_event_id_the_message_names_the_delivery() -> None:
    body = said(text="hi")
    del body["event_id"]

    message = inbound.read(body)

    assert message is not None
    assert message.event_id == message.message_id == "T0TEAM:D0ALICE:1.0001"


def test_files_are_kept_even_without_words() -> None:
    files = [{"id": "F1", "mimetype": "image/png", "name": "a.png"}, "odd", {"id": "F2"}]

    message = read(subtype="file_share", files=files)

    assert message is not None
    assert message.text == ""
    assert message.media == (
        MediaRef(where="F1", mime_type="image/png", name="a.png"),
        MediaRef(where="F2", name=""),
    )


@pytest.mark.parametrize(
    ("sent", "typed"),
    [
        ("plain", "plain"),
        ("<@U0BOT> where is it?", "where is it?"),
        ("hey <@U0BOT>", "hey"),
        ("<@U0BOT><@U0BOT> twice", "twice"),
        ("<@U0BEN> knows", "@U0BEN knows"),
        ("<@U0BEN|ben> and <@U0BOT|gatehouse>", "@ben and"),
        ("a &amp; b &lt; c &gt; d", "a & b < c > d"),
        ("&amp;lt;b&amp;gt;", "&lt;b&gt;"),
        ("&amp;amp;", "&amp;"),
        ("&lt;@U0BOT&gt; typed by hand", "<@U0BOT> typed by hand"),
        ("<https://a.example/x?a=1&amp;b=2>", "https://a.example/x?a=1&b=2"),
        ("<https://a.example|a.example>", "https://a.example"),
        ("<https://evil.example|https://bank.example>", "https://evil.example"),
        (
            "<http://a.example|label with spaces> and <https://b.example>",
            "label with spaces (http://a.example) and https://b.example",
        ),
        ("<mailto:ana@acme.example|ana@acme.example>", "ana@acme.example"),
        ("<tel:+15550001111|+1 555 000 1111>", "+1 555 000 1111 (+15550001111)"),
        ("<#C0OPS|ops> or <#C0OPS>", "#ops or #C0OPS"),
        ("<!here> look", "@here look"),
        ("<!channel|@channel> and <!everyone>", "@channel and @everyone"),
        ("<!subteam^S0LEADS|@leads> or <!subteam^S0LEADS>", "@leads or @S0LEADS"),
        ("since <!date^1392734382^{date_num}|2014-02-18>", "since 2014-02-18"),
        ("<!date^1392734382^{date_num}^https://a.example>", "{date_num}"),
        ("<b> and <>", "<b> and <>"),
        ("&copy; &amp;copy;", "&copy; &copy;"),
        ("  padded \n", "padded"),
        ("<https://a.example", "<https://a.example"),
    ],
)
def test_the_text_is_what_the_person_typed(sent: str, typed: str) -> None:
    assert entities.plain(sent, "U0BOT") == typed


@settings(deadline=None)
@given(typed=st.text())
def test_what_slack_encoded_is_decoded_exactly_once(typed: str) -> None:
    sent = typed.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

    assert entities.plain(sent, "U0BOT") == typed.strip()


written = st.text(st.characters(exclude_categories=["Cc", "Cs", "Z"]), min_size=1, max_size=6)
names = st.from_regex(r"[a-z0-9_-]{1,10}", fullmatch=True)
ids = st.from_regex(r"[UCS][1-9][A-Z0-9]{2,8}", fullmatch=True)


def encoded(typed: str) -> str:
    return typed.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(
            written.map(lambda typed: (encoded(typed), typed)),
            ids.map(lambda id: (f"<@{id}>", f"@{id}")),
            st.tuples(ids, names).map(lambda one: (f"<@{one[0]}|{one[1]}>", f"@{one[1]}")),
            st.tuples(ids, names).map(lambda one: (f"<#{one[0]}|{one[1]}>", f"#{one[1]}")),
            st.tuples(ids, names).map(lambda one: (f"<!subteam^{one[0]}|@{one[1]}>", f"@{one[1]}")),
            st.sampled_from(["here", "channel", "everyone"]).map(lambda word: (f"<!{word}>", f"@{word}")),
            written.filter(lambda typed: not {*typed} & {"|", "^"}).map(
                lambda typed: (f"<!date^1^{{date}}|{encoded(typed)}>", typed)
            ),
            st.just(("<@U0BOT>", "")),
        )
    )
)
def test_what_slack_writes_for_a_person_becomes_plain_words(parts: list[tuple[str, str]]) -> None:
    sent, typed = (" ".join(part[at] for part in parts) for at in (0, 1))

    assert entities.plain(sent, "U0BOT") == typed.strip()


def test_no_label_keeps_the_process_busy() -> None:
    label, began = "." * 80_000 + " x", time.process_time()

    assert entities.plain(f"<http://x.example|{label}>") == f"{label} (http://x.example)"
    assert time.process_time() - began < 1  # quadratic, it is some ten


def test_a_file_of_another_workspace_is_named_by_its_id_alone() -> None:
    files = [{"id": "F1", "created": 0, "timestamp": 0, "user": "", "file_access": "check_file_info"}]
    body = slack.message("", ts="1.0", subtype="file_share", files=files)

    assert (found := inbound.read(body)) is not None
    assert found.media == (MediaRef(where="F1"),)


# --- people and forms --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "account", "address", "name"),
    [
        ({"user": {"id": "U1", "team_id": "T2", "name": "ana"}, "team": {"id": "T1"}}, "T2", "U1", "ana"),
        ({"user": {"id": "U1", "username": "ana"}, "team": {"id": "T1"}}, "T1", "U1", "ana"),
        ({"user": {"id": "U1"}, "team": None}, "", "U1", ""),
        ({"user": None}, "", "", ""),
        ({"user": "U1", "team": ["T1"]}, "", "", ""),
        ({}, "", "", ""),
    ],
)
def test_who_clicked_is_whom_slack_names(body: dict[str, Any], account: str, address: str, name: str) -> None:
    assert inbound.clicker(body) == Identity(
        channel="slack", account=account, address=address, name=name, proof=Proof.PLATFORM
    )


@pytest.mark.parametrize(
    ("view", "text"),
    [
        ({"state": {"values": {"reason": {"reason": {"value": "too much"}}}}}, "too much"),
        ({"state": {"values": {"reason": {"reason": {"value": None}}}}}, ""),
        ({"state": {"values": {"other": {"reason": {"value": "x"}}}}}, ""),
        ({"state": {"values": []}}, ""),
        ({"state": None}, ""),
        ({}, ""),
    ],
)
def test_what_was_written_into_a_form_is_read(view: dict[str, Any], text: str) -> None:
    assert inbound.written(view, "reason") == text
