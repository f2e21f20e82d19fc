"""In which country a number is."""

import phonenumbers
import pytest
from hypothesis import given, strategies as st

from adapters.sms.numbers import country
from gateway.policy.countries import CODES


@pytest.mark.parametrize(
    ("address", "where"),
    [
        ("+12025550123", "US"),
        ("+14165550123", "CA"),
        ("+18765550123", "JM"),
        ("+18095550123", "DO"),
        ("+79991234567", "RU"),
        ("+77011234567", "KZ"),
        ("+390612345678", "IT"),
        ("+491701234567", "DE"),
        ("+4915000000000000", "DE"),  # longer than the tables know: +49 is one country's alone
        ("whatsapp:+12025550123", "US"),
        ("rcs:+491701234567", "DE"),
        ("+15550001111", ""),  # +1 is of many, and no table has it
        ("+8821012345", ""),
        ("+999123456789", ""),
        ("12345", ""),
        ("Acme", ""),
        ("", ""),
        ("+", ""),
        ("+1", ""),
        ("+٤٩١٧٠١٢٣٤٥٦٧", "DE"),
        ("2025550123", ""),
    ],
)
def test_a_number_is_in_a_country_or_in_none(address: str, where: str) -> None:
    assert country(address) == where


@given(st.one_of(st.text(max_size=30), st.from_regex(r"\+[0-9]{0,20}", fullmatch=True)))
def test_whatever_it_is_the_answer_is_a_code_or_nothing(address: str) -> None:
    assert country(address) in CODES | {""}


def test_the_policy_knows_every_country_that_a_number_may_be_in() -> None:
    assert set(phonenumbers.SUPPORTED_REGIONS) <= CODES
