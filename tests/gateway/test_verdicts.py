"""A decision in a person's words: one verb and one code, and nothing else. The table is replies.toml."""

import re
import time
import tomllib
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from gateway.events import Verdict
from gateway.verdicts import APPROVE_WORDS, DENY_WORDS, LONGEST, MOST_CODES, Decided, Unclear, codes_in, is_bare, read

REPLIES: list[dict[str, Any]] = tomllib.loads((Path(__file__).parent / "replies.toml").read_text("utf-8"))["replies"]
TABLE = [(text, group["reading"]) for group in REPLIES for text in group["texts"]]
CARRIER_WORDS = [
    *("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"),
    *("START", "UNSTOP", "HELP", "INFO"),
]
CODE = "482913"


def reading(text: str) -> str:
    match read(text):
        case None:
            return "words"
        case Unclear():
            return "asks"
        case Decided(verdict=verdict):
            return verdict.value


def approves(text: str) -> bool:
    return reading(text) == "approve"


# --- the table ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "wanted"), TABLE)
def test_a_reply_is_read_as_the_table_says(text: str, wanted: str) -> None:
    assert reading(text) == wanted


def test_the_table_has_enough_of_each_language_and_no_reply_twice() -> None:
    languages = Counter[str]()
    for group in REPLIES:
        languages[group["language"]] += len(group["texts"])

    assert len(TABLE) >= 150
    assert all(languages[language] >= 20 for language in ("en", "de", "fr", "es")), languages
    assert {wanted for _, wanted in TABLE} == {"approve", "deny", "asks", "words"}


def test_whoever_decides_names_the_code() -> None:
    decided = [found for text, _ in TABLE if isinstance(found := read(text), Decided)]

    assert {one.code for one in decided} == {CODE}


@pytest.mark.parametrize("word", CARRIER_WORDS)
def test_the_carriers_words_decide_nothing(word: str) -> None:
    assert word.casefold() not in APPROVE_WORDS | DENY_WORDS
    assert not isinstance(read(word), Decided)
    assert not isinstance(read(f"{word} {CODE}"), Decided)


# --- what may be a code ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("yes 482913", ["482913"]),
        ("482 913 or 482-913, 771204", ["482913", "771204"]),
        ("ref A482913.", ["482913"]),
        ("٤٨٢٩١٣", ["482913"]),
        ("48\u200b29\u200b13", ["482913"]),
        ("4829133", []),
        ("482  913", []),
        ("+1 555 000 1111", ["555000"]),
        (" ".join(str(n) for n in range(100_000, 100_050)), [str(n) for n in range(100_000, 100_000 + MOST_CODES)]),
    ],
)
def test_a_code_is_found_however_it_is_written(text: str, codes: list[str]) -> None:
    assert codes_in(text) == codes


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("yes 482913", True),
        ("482913", True),
        ("482913, 771204.", True),
        ("no yes 482913", True),
        ("yes", False),
        ("", False),
        ("my order is 482913", False),
        ("ok 482913", False),
    ],
)
def test_nothing_but_verbs_and_codes_was_meant_to_decide(text: str, bare: bool) -> None:
    assert is_bare(text) is bare


# --- whatever people write ---------------------------------------------------------------------------------


def words_of(text: str) -> set[str]:
    return set(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold()))


UNSEEN = "\u200b\u200c\u200d\u200e\u200f\u202a\u202c\u202e\u2060\u2066\u2069\ufeff\u00ad\u180e\u034f"
UNSEEN += "\x0b\x0c\x1c\x1f\x85\u2028"
HEDGES = [
    "if",
    "but",
    "maybe",
    "ok",
    "sure",
    "k",
    "please",
    "unless",
    "wenn",
    "aber",
    "si",
    "pero",
    "mais",
    "not",
    "don't",
]
parts = st.sampled_from(
    [
        *("yes", "YES", "Yes", "no", "No", "approve", "deny", "482913", "771204", "48"),
        *(".", ",", "!", "?", ":", "\n", "\t", "-", '"', "…", "\u00a0"),
        *HEDGES,
        *CARRIER_WORDS,
        *UNSEEN,
    ]
)
texts = (
    st.lists(parts | st.text(max_size=6), max_size=6).map(" ".join)
    | st.lists(parts, max_size=6).map("".join)
    | st.text(max_size=40)
)
codes = st.from_regex(r"[0-9]{6}", fullmatch=True)


@settings(deadline=None, max_examples=1000)
@given(text=texts)
def test_nothing_approves_but_one_approving_word_and_one_code(text: str) -> None:
    if approves(text):
        words = re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold())
        assert len(words) == 2
        assert len(set(words) & APPROVE_WORDS) == 1
        assert [word for word in words if re.fullmatch("[0-9]{6}", word)] == [read(text).code]  # type: ignore[union-attr]
        assert not set(text) & set(UNSEEN)


@settings(deadline=None)
@given(text=texts, word=st.sampled_from([*sorted(DENY_WORDS), *HEDGES, *CARRIER_WORDS]), place=st.integers(0, 60))
def test_a_denying_word_a_hedge_or_a_carriers_word_never_approves(text: str, word: str, place: int) -> None:
    assert not approves(f"{text[:place]} {word} {text[place:]}")


@settings(deadline=None)
@given(
    code=codes,
    verb=st.sampled_from(sorted(APPROVE_WORDS | DENY_WORDS)),
    more=st.text(min_size=1, max_size=12).filter(lambda text: words_of(text)),
    before=st.booleans(),
)
def test_more_than_a_verb_and_a_code_never_decides(code: str, verb: str, more: str, before: bool) -> None:
    assert not isinstance(read(f"{more} {verb} {code}" if before else f"{verb} {code} {more}"), Decided)


@given(code=codes, other=codes)
def test_two_codes_never_decide(code: str, other: str) -> None:
    for text in (f"yes {code} {other}", f"{code} yes {other}", f"yes {code}, {other}", f"yes {code}\n{other}"):
        assert not isinstance(read(text), Decided)


@given(
    verb=st.sampled_from(["yes", "approve", "no", "deny"]), unseen=st.text(UNSEEN, min_size=1), at=st.integers(0, 99)
)
def test_what_nobody_sees_neither_joins_nor_parts_words_into_a_verdict(verb: str, unseen: str, at: int) -> None:
    for whole in (f"{verb} {CODE}", f"{verb}{CODE}", f"{CODE} {verb}"):
        place = at % (len(whole) + 1)
        assert not isinstance(read(whole[:place] + unseen + whole[place:]), Decided)


@given(
    verb=st.sampled_from(["yes", "Yes", "YES", "approve", "APPROVE"]),
    code=codes,
    mark=st.sampled_from(["", ".", ",", ":", ";", "!", "!!"]),
    gap=st.text(" \t\n\r\u00a0\u3000", min_size=1, max_size=5),
    end=st.sampled_from(["", ".", "!", " ", "\n", ". "]),
    verb_first=st.booleans(),
)
def test_one_verb_and_one_code_decide_in_either_order(
    verb: str, code: str, mark: str, gap: str, end: str, verb_first: bool
) -> None:
    one, other = (verb, code) if verb_first else (code, verb)

    assert read(f"{one}{mark}{gap}{other}{end}") == Decided(Verdict.APPROVE, code)


@pytest.mark.parametrize(
    "text",
    [
        "a" + "\u0300\u0316" * 50_000,  # marks in the wrong order, which take NFKC seconds
        "482913 " * 15_000,
        "yes 482913" + " " * 100_000 + "x",
        "yes" + "!" * 100_000,
        "1" * 100_000,
        "\u200b" * 100_000,
        "yes " * 25_000,
        "482 913-" * 12_000,
        "a" + "\u0300\u0316" * (LONGEST // 2 - 1),
    ],
    ids=range(9),
)
def test_reading_a_hundred_thousand_characters_takes_no_time(text: str) -> None:
    began = time.process_time()

    assert not isinstance(read(text), Decided)
    is_bare(text)

    assert time.process_time() - began < 0.5
