"""Which requests are believed to be Twilio's: both ways of signing, and everything that is neither."""

import json
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha1, sha256
from hmac import new as hmac
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings, strategies as st
from starlette.datastructures import FormData, Headers

from adapters.sms import proof
from gateway.errors import Foreign, NotProven, Unreadable

DATA = Path(__file__).parents[4] / "shared/data/sms"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="shared test data not present: ../shared/data")

URL = "https://gateway.example/sms/inbound"
ACCOUNT = "AC00000000000000000000000000000000"
TEXT = {"MessageSid": "SM1", "AccountSid": ACCOUNT, "From": "+15005550100", "To": "+15005550199", "Body": "hello"}
BY_KEY = "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"
FORM, JSON = "application/x-www-form-urlencoded", "application/json"

Pairs = list[tuple[str, str]]
PLAIN: Pairs = [*TEXT.items()]


def signature(pairs: Pairs, *, url: str = URL, token: str = "token", by: Any = sha1) -> str:
    """As Twilio documents it: the address, then every name and value, sorted, each pair once."""
    text = url + "".join(name + value for name, value in sorted(set(pairs)))
    return b64encode(hmac(token.encode(), text.encode(), by).digest()).decode()


def by_key(pairs: Pairs, *, token: str = "shared", **more: str) -> str:
    return signature(pairs, token=token, by=sha256, **more)


def headers(*signatures: str, announced: Sequence[str] = (), kind: str = FORM) -> Headers:
    """Header fields may come more than once."""
    said = [("x-twilio-signature", one) for one in signatures]
    said += [("x-twilio-webhooks-signature-settings", one) for one in announced]
    return Headers(raw=[(n.encode(), v.encode("latin-1")) for n, v in [*said, ("content-type", kind)]])


def proven(
    pairs: Pairs | bytes,
    said: Headers,
    *,
    url: str = URL,
    tokens: Sequence[str] = ("token",),
    shared: Sequence[str] = ("shared",),
) -> FormData:
    body = pairs if isinstance(pairs, bytes) else urlencode(pairs).encode()
    return proof.form_of(url, said, body, tokens=tokens, shared_keys=shared, account_sid=ACCOUNT)


# --- with the auth token -----------------------------------------------------------------------------------


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
@pytest.mark.parametrize("shared", [False, True], ids=["auth token", "shared key"])
def test_what_twilio_signed_is_believed_with_every_field(pairs: Pairs, shared: bool) -> None:
    said = headers(by_key(pairs), announced=[BY_KEY]) if shared else headers(signature(pairs))

    assert sorted(proven(pairs, said).multi_items()) == sorted(pairs)


@pytest.mark.parametrize(
    "url",
    [
        "https://gateway.example/sms/inbound?a=1&b=%20x",
        "https://gateway.example/below/it/sms/inbound",
        "https://gateway.example:443/sms/inbound",
        "https://gateway.example:8443/sms/inbound",
        "http://127.0.0.1:8000/sms/inbound",
        "http://[::1]:8000/sms/inbound",
        "https://gateway.example/sms/inbound?",
    ],
)
def test_the_address_is_signed_with_its_path_port_and_query(url: str) -> None:
    assert proven(PLAIN, headers(signature(PLAIN, url=url)), url=url)


@pytest.mark.parametrize(
    ("signed_url", "called_url"),
    [
        ("https://gateway.example:443/sms/inbound", URL),
        (URL, "https://gateway.example:8443/sms/inbound"),
        ("http://gateway.example:80/sms/inbound", "http://gateway.example/sms/inbound"),
    ],
)
def test_twilio_may_sign_the_port_or_leave_it_out(signed_url: str, called_url: str) -> None:
    assert proven(PLAIN, headers(signature(PLAIN, url=signed_url)), url=called_url)


@pytest.mark.parametrize(
    ("signed_url", "called_url"),
    [
        (URL, URL + "?a=1"),
        (URL + "?a=1&b=2", URL + "?b=2&a=1"),
        (URL + "?a=%20", URL + "?a=+"),
        (URL, URL.replace("https", "http")),
        (URL, "https://10.0.0.7/sms/inbound"),
        (URL, URL.replace("inbound", "status")),
        (URL, "https://gateway.example/below/sms/inbound"),
    ],
)
def test_a_signature_is_for_one_address_only(signed_url: str, called_url: str) -> None:
    with pytest.raises(NotProven, match="PUBLIC_URL"):
        proven(PLAIN, headers(signature(PLAIN, url=signed_url)), url=called_url)


@pytest.mark.parametrize(("secret", "believed"), [("new", True), ("old", True), ("older", False), ("", False)])
@pytest.mark.parametrize("shared", [False, True], ids=["auth token", "shared key"])
def test_both_secrets_of_a_rotation_count(secret: str, believed: bool, shared: bool) -> None:
    said = by_key(PLAIN, token=secret) if shared else signature(PLAIN, token=secret)
    said_so = headers(said, announced=[BY_KEY] if shared else [])
    secrets: dict[str, Any] = {"shared" if shared else "tokens": ("new", "old")}

    if believed:
        assert proven(PLAIN, said_so, **secrets)
    else:
        with pytest.raises(NotProven):
            proven(PLAIN, said_so, **secrets)


RIGHT = signature(PLAIN)


@pytest.mark.parametrize(
    "said",
    [[], [""], ["é"], ["x"], ["===="], [RIGHT.swapcase()], [RIGHT[:-1]], [RIGHT + "="], [RIGHT, RIGHT], ["x", RIGHT]],
)
def test_without_one_matching_signature_nobody_is_believed(said: list[str]) -> None:
    with pytest.raises(NotProven):
        proven(PLAIN, headers(*said))


@pytest.mark.parametrize(
    "changed",
    [
        [(name, "STOP" if name == "Body" else value) for name, value in PLAIN],
        PLAIN[:-1],
        [*PLAIN, ("MediaUrl0", "")],
    ],
    ids=["changed", "left out", "added blank"],
)
@pytest.mark.parametrize("shared", [False, True], ids=["auth token", "shared key"])
def test_a_form_that_was_changed_on_its_way_is_not_believed(changed: Pairs, shared: bool) -> None:
    with pytest.raises(NotProven):
        proven(changed, headers(by_key(PLAIN), announced=[BY_KEY]) if shared else headers(RIGHT))


# --- which of the two --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "announced",
    [
        BY_KEY,
        "algorithm=HMAC_SHA256,key=webhooks_sharedkey_1",
        "key=webhooks_sharedkey_1, algorithm=HMAC_SHA256, more=to come",
        "algorithm=HMAC_SHA256",
    ],
)
def test_a_shared_key_is_announced(announced: str) -> None:
    assert proven(PLAIN, headers(by_key(PLAIN), announced=[announced]))


@pytest.mark.parametrize(
    "announced",
    [
        "",
        "x",
        "key=webhooks_sharedkey_1",
        "key=webhooks_sharedkey_1,algorithm=",
        "key=webhooks_sharedkey_1,algorithm=HMAC_SHA1",
        "key=webhooks_sharedkey_1,algorithm=HMAC_SHA512",
        "algorithm=HMAC_SHA1,algorithm=HMAC_SHA256",
        "algorithm=HMAC_SHA256,algorithm=HMAC_SHA1",
        "algorithm=hmac_sha256é",
    ],
)
@pytest.mark.parametrize("secret", ["token", "shared"])
@pytest.mark.parametrize("by", [sha1, sha256])
def test_what_is_announced_in_a_way_not_known_is_not_believed(announced: str, secret: str, by: Any) -> None:
    with pytest.raises(NotProven, match="HMAC_SHA256"):
        proven(PLAIN, headers(signature(PLAIN, token=secret, by=by), announced=[announced]))


def test_two_announcements_are_not_believed() -> None:
    with pytest.raises(NotProven):
        proven(PLAIN, headers(by_key(PLAIN), announced=[BY_KEY, BY_KEY]))


def test_a_shared_key_that_nobody_set_is_not_believed() -> None:
    with pytest.raises(NotProven, match="SMS__SHARED_KEY is not set"):
        proven(PLAIN, headers(by_key(PLAIN), announced=[BY_KEY]), shared=())
    with pytest.raises(NotProven, match="SMS__SHARED_KEY is not set"):
        proven(PLAIN, headers(by_key(PLAIN, token=""), announced=[BY_KEY]), shared=())


@pytest.mark.parametrize(
    ("said", "announced"),
    [
        (by_key(PLAIN, token="token"), [BY_KEY]),
        (by_key(PLAIN, token="token"), []),
        (by_key(PLAIN), []),
        (signature(PLAIN, token="shared"), []),
        (signature(PLAIN, token="shared"), [BY_KEY]),
        (RIGHT, [BY_KEY]),
    ],
)
def test_neither_secret_proves_in_the_others_way(said: str, announced: list[str]) -> None:
    with pytest.raises(NotProven):
        proven(PLAIN, headers(said, announced=announced))


def test_beside_a_shared_key_the_auth_token_stays_believed_where_no_key_is_announced() -> None:
    assert proven(PLAIN, headers(RIGHT), shared=("shared",))


# --- whose account -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("account", ["AC99999999999999999999999999999999", "", ACCOUNT.lower()])
def test_what_is_signed_for_another_account_is_foreign(account: str) -> None:
    pairs = [*{**TEXT, "AccountSid": account}.items()]

    with pytest.raises(Foreign) as caught:
        proven(pairs, headers(signature(pairs)))

    assert caught.value.status == 403


@pytest.mark.parametrize("accounts", [[], [ACCOUNT, "AC9"], ["AC9", ACCOUNT]])
def test_what_names_no_account_or_several_is_foreign(accounts: list[str]) -> None:
    pairs = [pair for pair in PLAIN if pair[0] != "AccountSid"] + [("AccountSid", one) for one in accounts]

    with pytest.raises(Foreign):
        proven(pairs, headers(signature(pairs)))


def test_a_sub_account_signs_with_a_token_of_its_own() -> None:
    theirs = [*{**TEXT, "AccountSid": "AC77777777777777777777777777777777"}.items()]

    with pytest.raises(NotProven):
        proven(theirs, headers(signature(theirs, token="of the sub-account")))


# --- bodies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"\xff\xfe", "Body=é".encode(), b"&".join(b"a=%d" % n for n in range(501))])
def test_a_body_that_is_no_form_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        proven(body, headers("x"))

    assert caught.value.status == 400


@pytest.mark.parametrize("body", [b"", b"{}", b"hello", b"[1]", b'{"a": "b"}', b"=", b"&&&", b"%ZZ=%"])
@pytest.mark.parametrize("kind", [FORM, JSON, ""])
def test_other_bodies_are_not_believed(body: bytes, kind: str) -> None:
    with pytest.raises(NotProven):
        proven(body, headers("x", kind=kind))


SAID = json.dumps(TEXT).encode()
NAMED = f"{URL}?bodySHA256={sha256(SAID).hexdigest()}"


@pytest.mark.parametrize("kind", [JSON, "Application/JSON; charset=utf-8"])
def test_a_json_body_is_refused_even_when_it_is_proven(kind: str) -> None:
    with pytest.raises(Unreadable, match="JSON"):
        proven(SAID, headers(signature([], url=NAMED), kind=kind), url=NAMED)
    with pytest.raises(Unreadable, match="JSON"):
        proven(SAID, headers(by_key([], url=NAMED), announced=[BY_KEY], kind=kind), url=NAMED)


@pytest.mark.parametrize(
    ("body", "url"),
    [
        (SAID, URL),
        (SAID + b" ", NAMED),
        (b"", NAMED),
        (SAID, f"{URL}?bodySHA256="),
        (SAID, f"{NAMED}&bodySHA256={'0' * 64}"),
        (SAID, f"{URL}?bodySHA256=%C3%A9"),
    ],
    ids=["no hash", "another body", "no body", "empty hash", "two hashes", "no hash at all"],
)
def test_a_json_body_that_the_address_does_not_name_is_not_believed(body: bytes, url: str) -> None:
    with pytest.raises(NotProven):
        proven(body, headers(signature([], url=url), kind=JSON), url=url)


def test_a_signature_over_json_proves_no_form() -> None:
    with pytest.raises(NotProven):
        proven(PLAIN, headers(signature([], url=NAMED)), url=NAMED)
    with pytest.raises(Foreign):
        proven(b"", headers(signature([], url=NAMED)), url=NAMED)


@settings(deadline=None)
@given(
    body=st.binary(max_size=80),
    said=st.lists(st.text(st.characters(max_codepoint=255), max_size=40), max_size=2),
    announced=st.lists(st.sampled_from([BY_KEY, "", "x", "algorithm=HMAC_SHA1"]), max_size=2),
    kind=st.sampled_from([FORM, JSON, "", "text/plain"]),
)
def test_no_request_breaks_the_proof(body: bytes, said: list[str], announced: list[str], kind: str) -> None:
    with pytest.raises((NotProven, Unreadable)):
        proven(body, headers(*said, announced=announced, kind=kind))


values = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@settings(deadline=None)
@given(pairs=st.lists(st.tuples(values.filter(bool), values), max_size=8))
def test_any_form_that_twilio_signed_is_believed(pairs: Pairs) -> None:
    whole = [*(pair for pair in pairs if pair[0] != "AccountSid"), ("AccountSid", ACCOUNT)]

    assert proven(whole, headers(signature(whole)))


# --- Twilio's own examples ---------------------------------------------------------------------------------


def vectors() -> list[Any]:
    """Each with the secret and the body: a form's pairs, or bytes."""
    if not DATA.is_dir():
        return []
    file = json.loads((DATA / "signature_vectors.json").read_text())
    named = {vector["name"]: vector for vector in file["vectors"]}
    found = []
    for vector in file["vectors"]:
        params = vector.get("params_list") or vector.get("params")
        if isinstance(params, str):
            params = named[params.removeprefix("same as ")]["params"]
        if params is None:
            body: Pairs | bytes = vector["body"].encode()
        else:
            body = [(pair[0], pair[1]) for pair in (params if isinstance(params, list) else params.items())]
        found.append(pytest.param(file["auth_token"], vector, body, id=vector["name"]))
    return found


def believed(secret: str, vector: dict[str, Any], body: Pairs | bytes) -> bool:
    """They are of other accounts, or in JSON: past the proof, that is all that is wrong with them."""
    announced = [value for name, value in vector.get("headers", {}).items() if name == proof.SETTINGS]
    said = headers(vector["signature"], announced=announced, kind=JSON if isinstance(body, bytes) else FORM)
    with pytest.raises((Foreign, Unreadable, NotProven)) as caught:
        proven(body, said, url=vector["url"], tokens=(secret,), shared=(secret,))
    return not isinstance(caught.value, NotProven)


@needs_data
@pytest.mark.parametrize(("secret", "vector", "body"), vectors())
def test_twilios_own_examples_hold_exactly(secret: str, vector: dict[str, Any], body: Pairs | bytes) -> None:
    other = body + b" " if isinstance(body, bytes) else [*body, ("More", "")]

    assert believed(secret, vector, body) == vector["valid"]
    assert not believed(secret + "6", vector, body)
    assert not believed(secret, vector, other)
    assert not believed(secret, vector | {"url": vector["url"] + "&more=1"}, body)
    assert not believed(secret, vector | {"signature": vector["signature"].swapcase()}, body)


@needs_data
def test_there_are_as_many_examples_as_were_counted() -> None:
    assert len(vectors()) == 8
