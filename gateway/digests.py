"""One text for one value, and its digest: what was shown is what runs. Pure."""

import hashlib
import json
import re
from typing import Any

import rfc8785


def canonical(value: Any) -> str:
    """One text for one value: RFC 8785 where it can say it, else sorted JSON (an integer past 2^53).

    Raises `ValueError` for NaN and the infinities, which no JSON holds: whoever reads arguments refuses them before.
    """
    try:
        return rfc8785.dumps(value).decode()
    except rfc8785.CanonicalizationError:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_of(tool: str, arguments: dict[str, Any] | None) -> str:
    return hashlib.sha256(canonical({"tool": tool, "arguments": arguments}).encode("utf-8", "replace")).hexdigest()


def is_digest(written: str) -> bool:
    """Is it (the beginning of) one, long enough to mean one thing?"""
    return re.fullmatch(r"[0-9a-f]{8,64}", written) is not None
