"""What a route says of texts: how many segments in a day, and which countries are written to at all."""

import pytest

from gateway import policy
from gateway.errors import ConfigError
from gateway.events import Identity, MessageReceived, ThreadRef
from gateway.policy import Route

ROUTE = '[[routes]]\nchannel = "sms"\nagent = "support"\n'


def route(words: str, channel: str = "sms") -> Route:
    return policy.read(ROUTE.replace('"sms"', f'"{channel}"') + words).routes[0]


def refused(words: str, channel: str = "sms") -> str:
    with pytest.raises(ConfigError) as caught:
        route(words, channel)
    return str(caught.value)


def writes(country: str | None) -> MessageReceived:
    who = Identity(channel="sms", address="+2")
    thread = ThreadRef("sms", "+1", "+2")
    return MessageReceived(event_id="1", message_id="1", thread=thread, sender=who, text="hi", country=country)


def test_by_itself_a_route_counts_no_segments_and_writes_to_every_country() -> None:
    found = route("")

    assert (found.segments_per_day, found.sender_segments_per_day, found.countries) == (None, None, None)
    assert not found.bars(writes("JM"))
    assert not found.bars(writes(""))


@pytest.mark.parametrize(("country", "barred"), [("US", False), ("CA", False), ("JM", True), ("", True), (None, False)])
def test_only_numbers_of_countries_that_are_listed_are_answered(country: str | None, barred: bool) -> None:
    assert route('countries = ["US", "CA"]').bars(writes(country)) is barred


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            'countries = ["US", "UK"]',
            'gateway.toml, line 4: routes.0.countries: "UK" is no country\'s code; did you mean "GB"?',
        ),
        ('countries = ["us"]', '"us" is no country\'s code; did you mean "US"?'),
        ('countries = ["Germany"]', '"Germany" is no country\'s code: write it as US or GB'),
        ("countries = []", "it names no country, so nobody would be answered"),
        ("segments_per_day = 0", "gateway.toml, line 4: routes.0.segments_per_day: "),
        ("sender_segments_per_day = -1", "gateway.toml, line 4: routes.0.sender_segments_per_day: "),
    ],
)
def test_a_word_that_cannot_be_meant_is_refused(words: str, said: str) -> None:
    assert said in refused(words)


@pytest.mark.parametrize("words", ['countries = ["US"]', "segments_per_day = 9", "sender_segments_per_day = 9"])
def test_only_texts_have_segments_and_countries(words: str) -> None:
    assert "is for texts" in refused(words, "slack")
    assert route(words, "*")
