"""Codes and tokens: made again from the key, good for one purpose, and telling nothing without it."""

import pytest
from hypothesis import given, settings, strategies as st

from gateway import codes

ADDRESS = "sms:+15550002222"
names = st.from_regex(r"[a-z][a-z-]{0,11}", fullmatch=True)


def test_a_code_is_six_digits_and_the_same_each_time() -> None:
    first, again = codes.code("key", "A1", ADDRESS, 1), codes.code("key", "A1", ADDRESS, 1)

    assert first == again
    assert len(first) == 6
    assert first.isdigit()


@pytest.mark.parametrize(
    "other",
    [
        ("another key", "A1", ADDRESS, 1),
        ("key", "A2", ADDRESS, 1),
        ("key", "A1", "sms:+15550003333", 1),
        ("key", "A1", ADDRESS, 2),
    ],
)
def test_a_code_is_for_one_request_one_address_and_one_time(other: tuple[str, str, str, int]) -> None:
    written = codes.code(*other)

    assert not codes.is_code(written, ["key"], "A1", ADDRESS, 1)
    assert codes.is_code(written, [other[0]], *other[1:])


def test_after_the_key_was_changed_the_older_codes_and_tokens_are_still_good() -> None:
    assert codes.is_code(codes.code("old", "A1", ADDRESS, 1), ["new", "old"], "A1", ADDRESS, 1)
    assert codes.is_token(codes.token("old", "ana", 1), ["new", "old"], "ana", 1)
    assert not codes.is_token(codes.token("old", "ana", 1), ["new"], "ana", 1)


@pytest.mark.parametrize("written", ["", "12345", "1234567", "abcdef", "-12345"])
def test_what_is_no_code_is_refused(written: str) -> None:
    assert not codes.is_code(written, ["key"], "A1", ADDRESS, 1)


@settings(deadline=None)
@given(person=names, n=st.integers(1, 999_999))
def test_a_token_says_whose_it_is_and_which(person: str, n: int) -> None:
    token = codes.token("key", person, n)

    assert codes.token_parts(token) == (person, n)
    assert codes.is_token(token, ["key"], person, n)
    assert not codes.is_token(token, ["key"], person, n + 1)
    assert not codes.is_token(token, ["key"], f"{person}x", n)


@settings(deadline=None)
@given(written=st.text(max_size=40) | st.text(max_size=20).map(lambda text: f"gh-{text}") | st.just("gh-ana-1-é"))
def test_whatever_is_written_as_a_token_is_read_or_refused_and_proves_nothing(written: str) -> None:
    claimed = codes.token_parts(written)

    assert not codes.is_token(written, ["key"], *(claimed or ("ana", 1)))
