"""One text for one value, and its digest: what was shown is what runs. Pure."""

import hashlib
import json
from typing import Any

import rfc8785


def canonical(value: Any) -> str:
    """One text for one value: RFC 8785 where it can say it, else sorted JSON (an integer past 2^53)."""
    try:
        return rfc8785.dumps(value).decode()
    except rfc8785.CanonicalizationError:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest_of(tool: str, arguments: dict[str, Any] | None) -> str:
    return hashlib.sha256(canonical({"tool": tool, "arguments": arguments}).encode("utf-8", "replace")).hexdigest()
