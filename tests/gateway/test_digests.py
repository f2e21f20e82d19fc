"""One text for one value, whatever a value may be."""

import pytest

from gateway.digests import canonical, digest_of


def test_the_order_of_words_makes_no_other_text() -> None:
    assert canonical({"b": 1, "a": [1.0, "x"]}) == canonical({"a": [1, "x"], "b": 1.0}) == '{"a":[1,"x"],"b":1}'


def test_a_number_too_large_for_others_still_has_its_text() -> None:
    assert canonical({"b": 2**60, "a": 1}) == '{"a":1,"b":1152921504606846976}'


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_what_no_json_holds_has_no_text_and_no_digest(number: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical({"amount": number})
    with pytest.raises(ValueError, match="JSON"):
        digest_of("issue_refund", {"amount": [number]})
