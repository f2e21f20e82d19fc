"""What a text says of being written to: Twilio's own word, the carriers' keywords, and plain wording by a fixed rule.

Pure. Never the model, and never a part of a longer text: only a whole message can opt out.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Literal

from gateway.events import Consent, ThreadRef

STOP = frozenset({"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout"})
START = frozenset({"start", "unstop"})
BACK = "yes"  # opts in at the carrier, and is an ordinary answer for everybody else
HELP = frozenset({"help", "info"})
TYPES: Mapping[str, Literal["out", "in", "help"]] = {"STOP": "out", "START": "in", "HELP": "help"}

MOST_WORDS = 12

_BEFORE = (
    "please|pls|plz|kindly|hi|hello|hey|ok|okay|sorry|just|now|and|so|i said|wrong number|"
    "(?:can|could|would|will) you|you (?:can|must|should|need to)|i (?:want|need|would like) you to|i'd like you to"
)
_AFTER = (
    "please|pls|plz|now|thanks|thank you|thx|immediately|right (?:now|away)|at once|asap|any ?more|again|ever again|"
    "already|today|forever|for good|ok|okay"
)
_ME = "(?:me|us|this number|this phone|my number|my phone|my cell)"
_TEXTS = "(?:(?:sms|text|marketing|promotional|spam) )?(?:texts?|sms|smses|messages?|msgs?|text messages)"
_THEM = f"(?:(?:any|any more|more|all|all of|all the|all these|all your|these|those|the|your) )?{_TEXTS}"
_TO_ME = f"(?: to {_ME})?(?: from you)?"
_FROM_TEXTS = f"(?: from (?:{_THEM}|this|(?:this|your|the) (?:(?:text|texting|sms|messaging|mailing) )?list))?"
_LIST = "(?:(?:your|the|this|that|any|all) )(?:(?:text|texting|sms|messaging|mailing|contact|marketing) )?lists?"
_WANT = "i (?:want|wish|would like|need) to |i'd like to |let me |i "

# What follows "stop" must be texting and its like, so that "stop my order" is for the agent.
WORDINGS = (
    "stop(?: stop)*",
    "stop ?all",
    f"(?:stop|quit|cease)(?: all)? (?:texting|messaging|sms|smsing|spamming)(?: {_ME})?",
    f"(?:stop|quit|cease) (?:contacting|writing|writing to|bothering|harassing) {_ME}",
    f"(?:stop|quit|cease) sending(?: {_ME})? {_THEM}{_TO_ME}",
    f"(?:stop|end|no more) {_THEM}{_TO_ME}",
    f"i (?:do not|don't|dont) want {_THEM}{_TO_ME}",
    f"(?:do not|don't|dont|never)(?: ever)? (?:text|message|sms|contact|write|write to) {_ME}",
    f"(?:do not|don't|dont|never)(?: ever)? send {_ME} {_THEM}",
    f"(?:remove|take|delete) {_ME} (?:from|off|off of) {_LIST}",
    f"(?:{_WANT})?unsubscribe(?: {_ME})?{_FROM_TEXTS}",
    f"(?:{_WANT})?opt(?: {_ME})? ?out(?: of {_THEM})?",
    f"i (?:revoke|withdraw)(?: my)? consent(?: to (?:receive )?{_THEM})?",
)
_OUT = re.compile(f"(?:(?:{_BEFORE}) )*(?:{'|'.join(f'(?:{one})' for one in WORDINGS)})(?: (?:{_AFTER}))*")
_ASKED_OF_US = ("can you ", "could you ", "would you ", "will you ", "please ")


def read(text: str, opt_out_type: str = "") -> Consent | None:
    """What a whole message says of being written to. None: ordinary words.

    `opt_out_type`: Twilio's OptOutType, which knows the sender's own keywords in every language and so comes first.
    """
    if said := TYPES.get(opt_out_type.strip().upper()):
        return Consent(state=said, source="carrier")
    word = text.strip().casefold()
    if word in STOP:
        return Consent(state="out", source="keyword")
    if word in START or word == BACK:
        return Consent(state="in", source="keyword", only_back=word == BACK)
    if word in HELP:
        return Consent(state="help", source="keyword")
    return Consent(state="out", source="words") if _means_stop(text) else None


def consent_of(to: ThreadRef, *, ours: str) -> ThreadRef:
    """SMS, MMS and RCS of one sender share what a number wants; WhatsApp keeps its own. `ours`: SMS__FROM."""
    return ThreadRef(to.channel, (to.account or ours).removeprefix("rcs:"), to.key.removeprefix("rcs:"))


def _means_stop(text: str) -> bool:
    if len(text) > MOST_WORDS * 20:
        return False
    said = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    words = re.sub(r"[^\w']+", " ", said).split()
    plain = " ".join(words)
    if "?" in said and not plain.startswith(_ASKED_OF_US):
        return False  # "stop?" asks
    return len(words) <= MOST_WORDS and _OUT.fullmatch(plain) is not None
