"""Codes and tokens: an HMAC of the key and what they are for, so that nothing at rest can be stolen. Pure."""

import base64
import hashlib
import hmac
from collections.abc import Sequence

DIGITS = 6


def code(key: str, approval_id: str, address: str, n: int) -> str:
    """Six digits for the nth time that this address is asked about this request."""
    found = hmac.digest(key.encode(), f"code\0{approval_id}\0{address}\0{n}".encode(), hashlib.sha256)
    return f"{int.from_bytes(found[:8]) % 10**DIGITS:0{DIGITS}d}"


def is_code(written: str, keys: Sequence[str], approval_id: str, address: str, n: int) -> bool:
    """Is this the code, under any of the keys? In constant time."""
    return any(hmac.compare_digest(written, code(key, approval_id, address, n)) for key in keys)


def token(key: str, person: str, n: int) -> str:
    """A person's own token for the API and the command line."""
    found = hmac.digest(key.encode(), f"token\0{person}\0{n}".encode(), hashlib.sha256).hex()
    return f"gh-{person}-{n}-{found[:48]}"


def token_parts(written: str) -> tuple[str, int] | None:
    """The person and the number a token claims; proves nothing. None: it is no token."""
    before, _, proof = written.rpartition("-")
    name, _, n = before.removeprefix("gh-").rpartition("-")
    claimed = written.startswith("gh-") and bool(name) and n.isascii() and n.isdigit() and len(n) < 7 and bool(proof)
    return (name, int(n)) if claimed else None


def is_token(written: str, keys: Sequence[str], person: str, n: int) -> bool:
    """Is this the person's nth token, under any of the keys? In constant time."""
    given = written.encode("utf-8", "replace")
    return any(hmac.compare_digest(given, token(key, person, n).encode()) for key in keys)


def page(key: str, message: int, until: int) -> str:
    """What the link to a page ends with; good until then (seconds since 1970). Small letters and digits alone."""
    found = hmac.digest(key.encode(), f"page\0{message}\0{until}".encode(), hashlib.sha256)
    return f"{message}-{until}-{base64.b32encode(found[:16]).decode().rstrip('=').lower()}"


def page_of(written: str, keys: Sequence[str]) -> tuple[int, int] | None:
    """Which message it is of, and until when. None: it is none of ours, under any of the keys. In constant time."""
    message, _, rest = written.partition("-")
    until = rest.partition("-")[0]
    if not all(one.isascii() and one.isdigit() and len(one) < 19 for one in (message, until)):
        return None
    given, which = written.encode("utf-8", "replace"), (int(message), int(until))
    ours = any(hmac.compare_digest(given, page(key, *which).encode()) for key in keys)
    return which if ours else None


def state(key: str, nonce: str, until: int) -> str:
    """What an OAuth dance begins with and must come back with; good until then (seconds since 1970)."""
    found = hmac.digest(key.encode(), f"state\0{nonce}\0{until}".encode(), hashlib.sha256).hex()
    return f"{until}.{nonce}.{found[:48]}"


def state_until(written: str, keys: Sequence[str]) -> int | None:
    """Until when it is good. None: it is none of ours, under any of the keys. In constant time."""
    until, _, rest = written.partition(".")
    nonce = rest.partition(".")[0]
    if not (until.isascii() and until.isdigit() and len(until) < 12):
        return None
    given = written.encode("utf-8", "replace")
    ours = any(hmac.compare_digest(given, state(key, nonce, int(until)).encode()) for key in keys)
    return int(until) if ours else None
