"""How many segments a text is, how it is made to need fewer, and where it is cut."""

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from adapters.sms import render, replies, segments, smart, splitting
from adapters.sms.clusters import may_cut
from gateway.events import Say, ThreadRef
from gateway.words import Words

DATA = Path(__file__).parents[4] / "shared/data/sms/segments"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="shared test data not present: ../shared/data")
ALICE, ON_WHATSAPP = ThreadRef("sms", "+1", "+2"), ThreadRef("sms", "whatsapp:+1", "whatsapp:+2")
FAMILY, FLAG, ENGLAND = "👩‍👩‍👧‍👦", "🇩🇪", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"

# --- counting ------------------------------------------------------------------------------------------------


@needs_data
def test_every_vector_of_the_reference_calculator_holds() -> None:
    vectors = json.loads((DATA / "vectors.json").read_text())
    table = json.loads((DATA / "smart_encoding_map.json").read_text())

    assert len(vectors) == 66
    for vector in vectors:
        body = vector["body"]
        if vector["smart_encoding"]:
            body = "".join(table.get(character, character) for character in body)
        wanted = vector["computed"] | (vector.get("upstream_asserted") or {})
        assert (segments.count(body), segments.encoding(body)) == (wanted["segments"], wanted["encoding"]), vector


@needs_data
def test_the_characters_of_gsm_7_are_those_of_the_reference() -> None:
    table = json.loads((DATA / "unicode_to_gsm7.json").read_text())

    assert set(table) == segments.BASIC | segments.EXTENDED
    assert {character for character, places in table.items() if len(places) == 2} == segments.EXTENDED


def test_a_character_of_two_places_is_not_cut_in_two() -> None:
    assert segments.count("a" * 152 + "{" + "a" * 153) == 3
    assert segments.count("й" * 66 + "😀" + "й" * 67) == 3
    assert segments.count("a" * 151 + "{" + "a" * 153) == 2


# --- typography ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("It’s “fine” – really… " * 5, 'It\'s "fine" - really... ' * 5),
        ("It’s fine", "It’s fine"),
        ("It’s fine 😀 " * 20, "It’s fine 😀 " * 20),
        ("Größe: “L” и всё " * 20, "Größe: “L” и всё " * 20),
    ],
)
def test_typography_is_made_plain_where_that_saves_segments(text: str, sent: str) -> None:
    assert smart.plainer(text) == sent


@needs_data
def test_the_table_is_twilios_but_for_what_reads_badly() -> None:
    theirs = json.loads((DATA / "smart_encoding_map.json").read_text())
    other = {one: (ours, theirs.get(one)) for one, ours in smart.PLAINER.items() if theirs.get(one) != ours}

    reasons = {
        **dict.fromkeys("″‑‒−·‣‛′", "they leave it, and the text is UCS-2"),
        **dict.fromkeys("\u00a0\u2002\u2003\u2007\u2009\u200a\u202f", "they write two spaces for a wide one"),
        **dict.fromkeys("‚‹›", "one of a pair of quotation marks; theirs are a comma, and the wrong way round"),
    }
    assert set(other) <= set(reasons), other


@given(st.text(alphabet=st.sampled_from("“”’–… aé😀"), max_size=300))
def test_it_never_costs_more(text: str) -> None:
    assert segments.count(smart.plainer(text)) <= segments.count(text)


# --- cutting -------------------------------------------------------------------------------------------------

SENTENCE = "This is a sentence of some words, and it ends here. "


def bare(part: str) -> str:
    return re.sub(r"^\(\d+/\d+\) ", "", part)


def test_three_segments_are_one_text() -> None:
    assert splitting.parts("a" * 459, splitting.by_segments) == ["a" * 459]
    assert splitting.parts("й" * 201, splitting.by_segments) == ["й" * 201]


def test_parts_are_numbered_and_end_with_their_sentences() -> None:
    parts = splitting.parts((SENTENCE * 20).strip(), splitting.by_segments)

    assert [part[:6] for part in parts] == ["(1/3) ", "(2/3) ", "(3/3) "]
    assert all(part.endswith("ends here.") for part in parts)


def test_a_paragraph_ends_a_part_rather_than_a_sentence() -> None:
    first, second = splitting.parts(
        f"{SENTENCE * 5}\n\n{SENTENCE * 5}".replace(" \n", "\n").strip(), splitting.by_segments
    )

    assert bare(first) == bare(second) == (SENTENCE * 5).strip()


def test_what_a_colon_announces_is_not_left_for_the_next_text() -> None:
    announced = f"{SENTENCE * 7}\n\nThese are the steps:\n\n" + "- one step of several\n" * 10

    first, second = splitting.parts(announced.strip(), splitting.by_segments)

    assert first.endswith("ends here.")
    assert second.startswith("(2/2) These are the steps:")


@pytest.mark.parametrize(
    "text", ["1. one\n" * 100, "As e.g. this one, i.e. that one " * 20, "https://a.example/x " * 40]
)
def test_a_part_ends_with_no_number_and_no_half_of_a_word(text: str) -> None:
    parts = splitting.parts(text.strip(), splitting.by_segments)

    assert len(parts) > 1
    assert not any(part.endswith((" 1.", "e.g.", "i.e.")) for part in parts)
    assert " ".join(map(bare, parts)).split() == text.split()


@pytest.mark.parametrize("cluster", [FAMILY, FLAG, ENGLAND, "👍🏽", "❤️", "e\u0301\u0323", "1\ufe0f\u20e3", "각"])
def test_a_picture_or_a_letter_is_never_taken_apart(cluster: str) -> None:
    parts = splitting.parts(cluster * 300, splitting.by_segments)

    assert "".join(map(bare, parts)) == cluster * 300
    assert all(bare(part).replace(cluster, "") == "" for part in parts)


def test_flags_are_cut_between_pairs() -> None:
    assert [may_cut(FLAG * 3, at) for at in range(1, 6)] == [False, True, False, True, False]


def test_a_letter_with_more_marks_than_a_text_holds_still_ends() -> None:
    monster = "a" + "\u0301" * 1000

    assert "".join(map(bare, splitting.parts(monster, splitting.by_segments))) == monster


def test_more_than_nine_parts_have_numbers_of_two_digits() -> None:
    parts = splitting.parts((SENTENCE * 100).strip(), splitting.by_segments)

    assert len(parts) > 10
    assert parts[0].startswith(f"(1/{len(parts)}) ")
    assert parts[-1].startswith(f"({len(parts)}/{len(parts)}) ")


PIECES = st.sampled_from(
    ["word", "Ende.", "😀", FAMILY, FLAG, "{x}", "ü", "й", " ", "\n", "\n\n", "€", "a" * 200, "e\u0301"]
)


@settings(deadline=None, max_examples=200)
@given(text=st.lists(PIECES, max_size=150).map("".join).map(str.strip))
@pytest.mark.parametrize("fits", [splitting.by_segments, splitting.by_characters])
def test_no_part_is_too_long_nothing_is_lost_and_the_order_stays(fits: splitting.Fits, text: str) -> None:
    parts = splitting.parts(text, fits)

    assert all(fits(part) and len(part) <= 1600 for part in parts)
    if len(parts) > 1:
        assert [part.partition(" ")[0] for part in parts] == [f"({n}/{len(parts)})" for n in range(1, len(parts) + 1)]
        assert "".join("".join(map(bare, parts)).split()) == "".join(text.split())
        assert all(bare(part) for part in parts)
    else:
        assert parts == [text]


@settings(deadline=None, max_examples=200)
@given(text=st.text(max_size=700))
def test_whatever_a_reply_is_its_texts_fit(text: str) -> None:
    for to, fits in ((ALICE, splitting.by_segments), (ON_WHATSAPP, splitting.by_characters)):
        assert all(fits(part) for part in replies.parts(to, text))


# --- beyond the most -----------------------------------------------------------------------------------------

LINK = "https://gateway.acme.example/m/1234-1795000000-abcdefghijklmnopqrstuvwxyz"


def test_a_reply_within_the_most_needs_no_page() -> None:
    assert replies.page(ALICE, SENTENCE * 20, most=10) is None
    assert replies.page(ALICE, SENTENCE * 40, most=10) == (SENTENCE * 40).strip()


def test_its_beginning_ends_with_a_sentence_and_the_link_is_the_last_word() -> None:
    (text,) = replies.parts(ALICE, SENTENCE * 40, link=LINK)

    assert text.startswith(SENTENCE.strip())
    assert text.endswith(f"ends here.\n\nRead on: {LINK}")
    assert segments.count(text) == 3


@pytest.mark.parametrize("text", [FAMILY * 300, "й" * 900, "a" * 3000, "word " * 800, ("word " * 9 + ",\n") * 80])
def test_a_beginning_that_cannot_end_with_a_sentence_says_that_more_follows(text: str) -> None:
    (sent,) = replies.parts(ALICE, text, link=LINK)

    assert segments.count(sent) <= 3
    assert f" ...\n\nRead on: {LINK}" in sent
    assert text.startswith(sent.partition(" ...\n")[0])


def test_an_address_that_takes_all_the_room_is_sent_alone() -> None:
    assert replies.parts(ALICE, SENTENCE * 40, link="https://a.example/" + "x" * 600) == [
        "Read on: https://a.example/" + "x" * 600
    ]


def test_on_whatsapp_a_message_holds_1500_characters_and_typography_stays() -> None:
    text = "It’s “fine” – really. " * 65

    assert replies.parts(ON_WHATSAPP, text) == [text.strip()]
    assert replies.page(ON_WHATSAPP, text * 3, most=10) is None
    assert [len(part) <= 1600 for part in replies.parts(ON_WHATSAPP, text * 3)] == [True] * 3
    assert replies.page(ON_WHATSAPP, text * 4, most=10) == (text * 4).strip()


def test_a_late_reply_says_so_and_loses_none_of_its_words_to_that() -> None:
    late = Words().late_reply.format(when="30 Sep 23:59 UTC")
    for link in ("", "https://gatehouse.example/m/" + "x" * 60):
        first, *_ = replies.parts(ON_WHATSAPP, "x" * 5000, link=link)
        assert render.text_for(Say(to=ON_WHATSAPP, text=f"{late}\n\n{first}")).endswith(first[-60:])


def test_the_numbers_of_parts_follow_one_another() -> None:
    numbers = [int(part[1 : part.index("/")]) for part in replies.parts(ALICE, SENTENCE * 60)]

    assert all(after == before + 1 for before, after in pairwise(numbers))
