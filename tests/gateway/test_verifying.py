"""The chain, without a database: whatever somebody does to its rows is found, and where."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from gateway.digests import canonical
from gateway.verifying import START, Break, Chain, Head, Link, follows, moved, text_of

TEXTS = st.lists(st.text(min_size=1, max_size=20), min_size=2, max_size=12, unique=True)  # no row's text is empty
AT = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)


def sealed(texts: list[str]) -> list[Link]:
    links, digest = [], START
    for number, text in enumerate(texts, start=1):
        digest = follows(digest, text)
        links.append(Link(number, 100 + number, digest, text))
    return links


def broken(links: list[Link], heads: list[Head] = []) -> Break | None:  # noqa: B006
    chain = Chain(heads)
    for link in links:
        if (found := chain.follow(link)) is not None:
            return found
    return chain.end()


def renumbered(links: list[Link]) -> list[Link]:
    return [replace(link, n=number) for number, link in enumerate(links, start=1)]


def head_of(links: list[Link], at: datetime | None = AT) -> Head:
    return Head(links[-1].n, links[-1].hash, at)


@given(TEXTS)
def test_a_chain_nobody_touched_is_whole(texts: list[str]) -> None:
    links = sealed(texts)

    assert broken(links) is None
    assert broken(links, [head_of(links), head_of(links[:1])]) is None


@given(TEXTS, st.data())
def test_a_changed_row_is_found_in_its_place(texts: list[str], data: st.DataObject) -> None:
    links = sealed(texts)
    at = data.draw(st.integers(0, len(links) - 1))
    links[at] = replace(links[at], text=data.draw(st.text().filter(lambda text: text != texts[at])))

    found = broken(links)

    assert found is not None
    assert (found.n, found.audit_id, found.what) == (at + 1, 101 + at, "changed")


@given(TEXTS, st.data())
def test_a_removed_row_is_found_in_its_place(texts: list[str], data: st.DataObject) -> None:
    links = sealed(texts)
    at = data.draw(st.integers(0, len(links) - 1))
    links[at] = replace(links[at], text=None)

    found = broken(links)

    assert found is not None
    assert (found.n, found.what) == (at + 1, "removed")


@given(TEXTS, st.data(), st.booleans())
def test_a_link_that_is_gone_is_found_whether_or_not_the_places_were_counted_anew(
    texts: list[str], data: st.DataObject, hidden: bool
) -> None:
    links = sealed(texts)
    at = data.draw(st.integers(0, len(links) - 2))
    del links[at]

    found = broken(renumbered(links) if hidden else links)

    assert found is not None
    assert found.n == at + 1


@given(TEXTS, st.data())
def test_two_rows_that_changed_places_are_found_at_the_first(texts: list[str], data: st.DataObject) -> None:
    links = sealed(texts)
    one, other = sorted(data.draw(st.lists(st.integers(0, len(links) - 1), min_size=2, max_size=2, unique=True)))
    links[one], links[other] = (
        replace(links[one], audit_id=links[other].audit_id, text=links[other].text),
        replace(links[other], audit_id=links[one].audit_id, text=links[one].text),
    )

    found = broken(links)

    assert found is not None
    assert found.n == one + 1
    before = links[one - 1].hash if one else START
    rows = [(link.audit_id, link.text or "") for link in links]
    told = moved(found, before, links[one].hash, rows)
    assert told is not None
    assert told.what == "reordered"
    assert f"audit row {101 + one} was sealed here" in told.says


@given(TEXTS, st.data(), st.text(min_size=1))
def test_a_row_that_was_put_in_is_found(texts: list[str], data: st.DataObject, text: str) -> None:
    links = sealed(texts)
    at = data.draw(st.integers(0, len(links) - 1))
    before = links[at - 1].hash if at else START
    links.insert(at, Link(0, 999, follows(before, text), text))

    found = broken(renumbered(links))

    assert found is not None
    if text != texts[at]:
        assert (found.n, found.audit_id, found.what) == (at + 1, 999, "inserted")


@given(TEXTS, st.data())
def test_a_chain_that_was_cut_off_or_written_anew_is_found_by_a_posted_head(
    texts: list[str], data: st.DataObject
) -> None:
    links = sealed(texts)
    left = data.draw(st.integers(0, len(links) - 1))
    anew = sealed([*texts[:left], *(text + "!" for text in texts[left:])])

    cut, rewritten = broken(links[:left], [head_of(links)]), broken(anew, [head_of(links)])

    assert cut is not None
    assert (cut.n, cut.what) == (left + 1, "cut off")
    assert rewritten is not None
    assert (rewritten.n, rewritten.what) == (len(links), "rewritten")


def test_what_is_said_names_the_place_the_row_and_the_head() -> None:
    links = sealed(["a", "b", "c"])

    assert broken(links[:2], [head_of(links)]) == Break(
        3, None, "cut off", "the chain ends at place 2, and a head posted on 2026-11-20 08:30 UTC was of place 3"
    )
    said = broken(links, [Head(2, "f" * 64)])
    assert said is not None
    assert said.says == f"a head you gave was {'f' * 16}..., and this link is {links[1].hash[:16]}..."


def test_the_text_of_a_row_leaves_out_what_is_empty_and_knows_no_zone_but_utc() -> None:
    row = {"id": 7, "at": AT, "what": "shown", "approval_id": None, "who": "", "facts": "{}"}

    assert text_of(row) == '{"at":"2026-11-20T08:30:00+00:00","facts":"{}","id":7,"what":"shown","who":""}'
    assert text_of(row | {"added_later": None}) == text_of(row)


@given(st.dictionaries(st.text("abcdefghijk_", min_size=1), st.text() | st.integers() | st.floats(allow_nan=False)))
def test_the_text_of_a_row_is_that_of_rfc_8785_however_it_is_made(row: dict[str, Any]) -> None:
    try:
        expected = canonical(row)
    except ValueError:
        expected = "no JSON says that"  # infinity

    try:
        assert text_of(row) == expected
    except ValueError:
        assert expected == "no JSON says that"


@pytest.mark.parametrize(("name", "value"), [("id", 8), ("what", "decided"), ("who", "x"), ("approval_id", "a")])
def test_every_column_counts(name: str, value: object) -> None:
    row = {"id": 7, "at": AT, "what": "shown", "approval_id": None, "who": "", "facts": "{}"}

    assert text_of(row | {name: value}) != text_of(row)
