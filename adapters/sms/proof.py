"""Is a request Twilio's, and for our account? Pure. Nothing of a request is believed before this.

Twilio signs in two ways, and a header says which: without it the auth token by SHA-1, with it a shared key by SHA-256.
Neither secret proves what is said to be signed in the other way, and what is announced in a way that is not known is
not believed.
"""

import hmac
from collections.abc import Sequence
from hashlib import sha256
from urllib.parse import parse_qs, parse_qsl, urlparse

from starlette.datastructures import FormData, Headers, UploadFile
from twilio.request_validator import HMAC_SHA1, HMAC_SHA256, RequestValidator, add_port, remove_port

from gateway.errors import Foreign, NotProven, Unreadable

SIGNATURE = "X-Twilio-Signature"
SETTINGS = "X-Twilio-Webhooks-Signature-Settings"
BODY_HASH = "bodySHA256"  # in the query, where the body is no form
MAX_FIELDS = 500


def form_of(
    url: str, headers: Headers, body: bytes, *, tokens: Sequence[str], shared_keys: Sequence[str], account_sid: str
) -> FormData:
    """The form of a request that Twilio signed for our account. `url` is the address Twilio called, as it was called.

    Blank and repeated fields are kept: they are part of the signature.
    Raises `NotProven`, `Unreadable`, `Foreign`.
    """
    said, algorithm = _one(headers, SIGNATURE), _algorithm(headers)
    if said is None:
        raise NotProven(f"no {SIGNATURE}, or more than one")
    if algorithm == HMAC_SHA256 and not shared_keys:
        raise NotProven("signed with a shared key, and SMS__SHARED_KEY is not set")
    secrets = shared_keys if algorithm == HMAC_SHA256 else tokens
    if _is_json(headers):
        _prove_body(url, body)
        _prove(url, FormData(), said, secrets, algorithm)
        raise Unreadable("the body is JSON: set the webhook to be sent as a form")
    form = _form(body)
    _prove(url, form, said, secrets, algorithm)
    if form.getlist("AccountSid") != [account_sid]:
        raise Foreign("signed, but for another account")
    return form


def _algorithm(headers: Headers) -> str:
    """Raises `NotProven` where a way of signing is announced that is not the one of shared keys."""
    if SETTINGS not in headers:
        return HMAC_SHA1
    fields = [part.partition("=") for part in (_one(headers, SETTINGS) or "").split(",")]
    named = [value.strip() for name, _, value in fields if name.strip() == "algorithm"]
    if named != [HMAC_SHA256]:
        raise NotProven(f"{SETTINGS} does not name {HMAC_SHA256}, the only way of signing known with shared keys")
    return HMAC_SHA256


def _prove(url: str, form: FormData, said: str, secrets: Sequence[str], algorithm: str) -> None:
    # Whether Twilio signs the port varies.
    parsed = urlparse(url)
    urls = {url, add_port(parsed), remove_port(parsed)}
    signed = [RequestValidator(one).compute_signature(each, form, algorithm) for one in secrets for each in urls]
    if not any(hmac.compare_digest(one, said) for one in signed):
        raise NotProven("the signature does not match; is PUBLIC_URL the address Twilio calls?")


def _prove_body(url: str, body: bytes) -> None:
    """The signature is over the address alone then; that names the body."""
    named = parse_qs(urlparse(url).query).get(BODY_HASH, [])
    if len(named) != 1 or not hmac.compare_digest(named[0].encode(), sha256(body).hexdigest().encode()):
        raise NotProven(f"the body is not the one that {BODY_HASH} names")


def _form(body: bytes) -> FormData:
    try:
        pairs: list[tuple[str, str | UploadFile]] = list(
            parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
        )
    except ValueError as error:
        raise Unreadable("the body is not a form") from error
    return FormData(pairs)


def _is_json(headers: Headers) -> bool:
    return headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"


def _one(headers: Headers, name: str) -> str | None:
    """Its value, in ASCII. None: there is none, or more than one, or it is something else."""
    values = headers.getlist(name)
    return values[0] if len(values) == 1 and values[0] and values[0].isascii() else None
