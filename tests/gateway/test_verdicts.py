"""A decision in a person's words: one verb and one code, and nothing else."""

import re
import unicodedata

import pytest
from hypothesis import given, settings, strategies as st

from gateway.events import Verdict
from gateway.verdicts import APPROVE_WORDS, DENY_WORDS, Decided, Unclear, read

YES = Decided(Verdict.APPROVE, "482913")
NO = Decided(Verdict.DENY, "482913")
CARRIER_WORDS = [
    "STOP",
    "STOPALL",
    "UNSUBSCRIBE",
    "CANCEL",
    "END",
    "QUIT",
    "REVOKE",
    "OPTOUT",
    "START",
    "UNSTOP",
    "HELP",
]


@pytest.mark.parametrize(
    ("text", "decision"),
    [
        ("YES 482913", YES),
        ("yes 482913", YES),
        ("Yes, 482913.", YES),
        ("  yes\n482913 ", YES),
        ("482913 yes", YES),
        ("482913: YES!", YES),
        ("approve 482913", YES),
        ("Approve: 482913", YES),
        ("ＹＥＳ ４８２９１３", YES),
        ("yes\u00a0482913", YES),
        ("NO 482913", NO),
        ("no; 482913", NO),
        ("482913 no.", NO),
        ("Deny 482913", NO),
        ("DENY\t482913", NO),
    ],
)
def test_one_verb_and_one_code_decide(text: str, decision: Decided) -> None:
    assert read(text) == decision


@pytest.mark.parametrize(
    "text",
    [
        "482913",
        "482913.",
        "482913 482913",
        "yes 482913 771204",
        "YES 482913 and 771204",
        "yes 482913 no 771204",
        "yes no 482913",
        "yes yes 482913",
        "no yes 482913",
        "don't approve 482913",
        "do not approve 482913",
        "not yes 482913",
        "approve 482913 if the parcel is back",
        "yes 482913 but only half",
        "yes please 482913",
        "ok 482913",
        "sure 482913",
        "k 482913",
        "y 482913",
        "yep 482913",
        "fine 482913",
        "allow 482913",
        "approved 482913",
        "yes? 482913",
        "(yes) 482913",
        "yes: is 482913 right?",
        "my order is 482913",
        "call me at 482913",
        "oui 482913",
        "ja 482913",
        "sí 482913",
        "да 482913",
        "はい 482913",
        "nein 482913",
        "non 482913",
        "нет 482913",
        "yеs 482913",  # with a Cyrillic letter
        *(f"{word} 482913" for word in CARRIER_WORDS),
    ],
)
def test_a_code_with_anything_else_asks_which(text: str) -> None:
    assert read(text) == Unclear()


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "yes",
        "YES",
        "no",
        "approve",
        "deny",
        "ok",
        "sure, go ahead",
        "Yes, please refund it.",
        "yes 48291",
        "yes 4829130",
        "yes 482-913",
        "yes 482 913",
        "yes #482913",
        "yes A482913",
        "yes482913",
        "yes ٤٨٢٩١٣",
        "yes 482913th",
        "my card ends in 4829",
        "ARRET",
        "Detener",
        "Sí",
        "Ja",
        *CARRIER_WORDS,
    ],
)
def test_ordinary_words_go_to_the_agent(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize("word", CARRIER_WORDS)
def test_the_carriers_words_decide_nothing(word: str) -> None:
    assert word.casefold() not in APPROVE_WORDS | DENY_WORDS
    assert not isinstance(read(word), Decided)
    assert not isinstance(read(f"{word} 482913"), Decided)


def words_of(text: str) -> set[str]:
    return set(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold()))


parts = st.sampled_from(
    [
        "yes",
        "YES",
        "no",
        "No",
        "approve",
        "deny",
        "not",
        "don't",
        "ok",
        "if",
        "482913",
        "771204",
        "48",
        ".",
        ",",
        "\n",
        "?",
    ]
)
texts = st.lists(parts | st.text(max_size=6), max_size=6).map(" ".join) | st.text(max_size=40)


@settings(deadline=None)
@given(text=texts)
def test_nothing_without_an_approving_word_and_a_code_approves(text: str) -> None:
    decision = read(text)

    if isinstance(decision, Decided) and decision.verdict is Verdict.APPROVE:
        assert words_of(text) & APPROVE_WORDS
        assert decision.code in words_of(text)
        assert not words_of(text) & DENY_WORDS


@settings(deadline=None)
@given(text=texts, word=st.sampled_from(sorted(DENY_WORDS)), first=st.booleans())
def test_a_denying_word_never_approves(text: str, word: str, first: bool) -> None:
    decision = read(f"{word} {text}" if first else f"{text} {word}")

    assert not (isinstance(decision, Decided) and decision.verdict is Verdict.APPROVE)


@settings(deadline=None)
@given(
    code=st.from_regex(r"[0-9]{6}", fullmatch=True),
    verb=st.sampled_from(sorted(APPROVE_WORDS | DENY_WORDS)),
    more=st.text(min_size=1, max_size=12).filter(lambda text: words_of(text)),
)
def test_more_than_a_verb_and_a_code_never_decides(code: str, verb: str, more: str) -> None:
    assert not isinstance(read(f"{verb} {code} {more}"), Decided)
