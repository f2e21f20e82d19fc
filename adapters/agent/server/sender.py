"""Who speaks in a turn, as the gateway's line before a message says it. Pure.

The gateway makes the same tag harmless in what customers write, so that only its own line begins a text.
"""

import re
from collections.abc import Sequence

from gateway.events import Proof

LINE = re.compile(r"\A<sender((?:\s+[\w-]+=\"[^\"]*\")*)\s*/>")
PROOF = re.compile(r"\sproof=\"([^\"]*)\"")
# Beside the gateway's own word, those that another front may use for a person who is signed in.
VERIFIED = {Proof.PLATFORM.value, "verified", "account"}


def is_verified(texts: Sequence[str]) -> bool:
    """True when the first of a turn's texts has a line about its sender, and no line there is of a weak proof."""
    lines = [found[1] for text in texts if (found := LINE.match(text))]
    proofs = [found[1] if (found := PROOF.search(line)) else "" for line in lines]
    return bool(texts and LINE.match(texts[0])) and all(proof in VERIFIED for proof in proofs)
