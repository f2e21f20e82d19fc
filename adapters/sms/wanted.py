"""What Twilio should be set to, and what that which it is set to means, a line of `gateway doctor` for each. Pure.

Of an address only the host is told: the rest may hold a secret.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from gateway.ports import Finding

INBOUND = "/sms/inbound"
# Twilio's own words: three tries more, whatever went wrong. Twilio neither sends nor signs the fragment.
RETRIES = "#rc=3&rp=all"


@dataclass(frozen=True, slots=True)
class CallsAt:
    """Where a number, a short code or a service sends what comes in."""

    url: str
    method: str
    fallback: str


def address(public_url: str) -> str:
    """To be set at Twilio, also as the fallback: what comes twice is one text."""
    return public_url.rstrip("/") + INBOUND + RETRIES


def account(status: str, kind: str) -> Finding:
    if status != "active":
        return Finding(False, f"sms: the Twilio account is {status}", "see the console of Twilio")
    if kind.lower() == "trial":
        advice = "a trial texts only numbers that are verified there, and puts words before ours"
        return Finding(True, "sms: the Twilio account is active, on trial", advice)
    return Finding(True, "sms: the Twilio account is active")


def tokens(count: int) -> list[Finding]:
    """The newest signs in; older ones prove only what Twilio sends."""
    if count < 2:
        return []
    advice = "once nothing is signed with an older one, list the newest alone"
    return [Finding(True, f"sms: SMS__AUTH_TOKEN lists {count} tokens, and the first is Twilio's", advice)]


def capabilities(number: str, able: Mapping[str, object] | Sequence[str]) -> list[Finding]:
    """`able` as a number tells it, or as a service does."""
    can = {name.lower() for name in able if not isinstance(able, Mapping) or able[name]}
    if "sms" not in can:
        only = " and ".join(sorted(can)) or "nothing"
        return [Finding(False, f"sms: {number} cannot text: it can {only}", "take a number that can: see SMS__FROM")]
    if "mms" not in can:
        return [
            Finding(True, f"sms: {number} takes texts, and no pictures", "where pictures matter, take one with MMS")
        ]
    return [Finding(True, f"sms: {number} takes texts and pictures")]


def calls(whose: str, at: CallsAt, public_url: str) -> list[Finding]:
    """Does what comes in reach us, also when a call of Twilio's fails?"""
    wanted = address(public_url)
    theirs, ours = _parts(at.url), urlsplit(wanted)
    to_set = f"set it to {wanted}, POST"
    if not at.url:
        return [Finding(False, f"sms: {whose} calls nobody: what comes in is lost", to_set)]
    if theirs is None:
        return [Finding(False, f"sms: the address {whose} calls is none", to_set)]
    if _origin(theirs) != _origin(ours):
        said = f"sms: {whose} calls {_shown(theirs)}, not us: another gateway answers"
        return [Finding(False, said, to_set + "; or PUBLIC_URL is not the address that people see")]
    if theirs.path != ours.path:
        return [Finding(False, f"sms: {whose} calls us, but not at {ours.path}", to_set)]
    if at.method.upper() != "POST":
        return [Finding(False, f"sms: {whose} calls us by {at.method or 'no method'}", to_set)]
    found = [Finding(True, f"sms: {whose} calls us")]
    if not {"rc", "rp"} <= {pair.partition("=")[0] for pair in theirs.fragment.split("&")}:
        said = f"sms: {whose} calls us once more at most, and only when it finds no connection"
        found.append(Finding(True, said, f"for retries set {wanted}"))
    return [*found, _fallback(whose, at.fallback, ours, wanted)]


def _fallback(whose: str, fallback: str, ours: SplitResult, wanted: str) -> Finding:
    theirs = _parts(fallback)
    if not fallback or theirs is None:
        return Finding(
            True, f"sms: {whose} has no fallback address", f"set {wanted} there too: a call that failed comes anew"
        )
    if _origin(theirs) != _origin(ours):
        return Finding(
            True,
            f"sms: {whose} falls back to {_shown(theirs)}",
            "what we miss, we fetch; see that nobody answers it there",
        )
    if theirs.path != ours.path:
        return Finding(False, f"sms: {whose} falls back to us, but not at {ours.path}", f"set the fallback to {wanted}")
    return Finding(True, f"sms: {whose} falls back to us")


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url.strip())
        _ = parts.port  # raises where it is no number
    except ValueError:
        return None
    return parts if parts.hostname else None


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def _shown(parts: SplitResult) -> str:
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}"
