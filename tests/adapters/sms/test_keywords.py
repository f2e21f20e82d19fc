"""What a text says of being written to: the carrier's word, keywords, and the rule for plain wording."""

import string

import pytest
from hypothesis import given, strategies as st

from adapters.sms import keywords
from adapters.sms.keywords import MOST_WORDS, START, STOP
from gateway.events import Consent, ThreadRef

KEYWORDS = [
    "STOP",
    "stop",
    " Stop\n",
    "\u00a0STOP ",
    "STOPALL",
    "Unsubscribe",
    "CANCEL",
    "end",
    "Quit",
    "REVOKE",
    "OptOut",
]
MEANT = [
    "STOP.",
    "Stop!!!",
    "stop please",
    "Please stop",
    "stop stop stop",
    "STOP ALL",
    "stop now",
    "STOP 🛑",
    "OK stop",
    "Unsubscribe.",
    "opt out",
    "OPT OUT",
    "opt-out",
    "Opt me out please",
    "I want to opt out",
    "I opt out of all messages",
    "opt out of these texts",
    "please stop texting me",
    "Stop texting me!",
    "stop messaging me",
    "Stop messaging this number",
    "quit texting me",
    "cease texting my phone",
    "STOP TEXTING ME NOW",
    "hey, stop texting",
    "stop contacting me please",
    "stop writing to me",
    "Stop spamming me",
    "wrong number, stop texting me",
    "I said stop texting me",
    "can you stop texting me?",
    "Could you please stop messaging me?",
    "you need to stop texting me",
    "I'd like you to stop texting me",
    "stop sending me texts",
    "Please stop sending me these messages",
    "stop sending messages to this number",
    "stop all messages",
    "stop the texts",
    "no more texts",
    "No more messages please",
    "no more text messages from you",
    "end these texts",
    "I don't want any more texts",
    "I don\u2019t want your messages",
    "I do not want these messages anymore",
    "don't text me anymore",
    "Don\u2019t text me again.",
    "do not text me",
    "please do not contact me",
    "dont message me any more",
    "never text me again",
    "don't send me texts",
    "do not send me any more messages",
    "remove me from your list",
    "Please remove my number from your text list",
    "take me off your list",
    "take me off of this list now",
    "delete me from your mailing list",
    "unsubscribe me please",
    "I want to unsubscribe",
    "I'd like to unsubscribe from these texts",
    "unsubscribe me from all messages",
    "I revoke my consent",
    "I withdraw consent to receive texts",
]
ORDINARY = [
    "",
    "stop?",
    "end?",
    "Cancel.",
    "please cancel",
    "cancel my order",
    "cancel it",
    "quit it",
    "End.",
    "the end",
    "stop it",
    "stop that",
    "stop my order",
    "Stop the delivery please",
    "how do I stop the subscription",
    "How do I unsubscribe?",
    "how can I opt out of the newsletter",
    "please stop the refund",
    "stop the payment",
    "don't stop texting me",
    "do not stop texting me",
    "please don't stop",
    "never stop texting me",
    "can't stop",
    "I can't stop texting you",
    "stop by the store",
    "bus stop",
    "where is the stop",
    "stop texting my wife and answer me",
    "stop texting me about the offer but keep the order updates coming",
    "don't text me, call me",
    "don't text me at work",
    "don't text me before 9",
    "text me",
    "please text me",
    "no texts have arrived",
    "I got no more texts from you, where is my code",
    "unsubscribe me from the newsletter",
    "unsubscribe my son",
    "remove me from the order",
    "remove my address from the list",
    "take me off hold",
    "opt out of the insurance",
    "I don't want the red one",
    "I don't want any messages lost",
    "stop messages from my neighbour",
    "end my subscription",
    "revoke my access",
    "stop 482913",
    "NO 482913",
    "no",
    "NO",
    "yes please",
    "Yes.",
    "start over",
    "START.",
    "help me",
    "Help!",
    "HELP?",
    "info please",
    "more info",
    "stop " * 20,
    "What happens if I write STOP?",
    "They told me to text STOP",
    # No carrier we can cite obeys these; with Advanced Opt-Out, OptOutType says so.
    "STOPP",
    "ARRET",
    "ALTO",
    "BAJA",
    "ABMELDEN",
    "Bitte keine SMS mehr",
    "Arrêtez de m'écrire",
    "No me escriban más",
]


def says(state: str, source: str, **more: bool) -> Consent:
    return Consent(state=state, source=source, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", KEYWORDS)
def test_a_keyword_alone_opts_out(text: str) -> None:
    assert keywords.read(text) == says("out", "keyword")


@pytest.mark.parametrize("text", MEANT)
def test_plain_wording_opts_out_too(text: str) -> None:
    assert keywords.read(text) == says("out", "words")


@pytest.mark.parametrize("text", ORDINARY)
def test_what_only_sounds_like_it_is_for_the_agent(text: str) -> None:
    assert keywords.read(text) is None


def test_the_table_is_long_enough_to_mean_something() -> None:
    assert len(MEANT) + len(ORDINARY) + len(KEYWORDS) >= 140
    assert len(set(MEANT) | set(ORDINARY) | set(KEYWORDS)) == len(MEANT) + len(ORDINARY) + len(KEYWORDS)


@pytest.mark.parametrize("text", ["START", "start", " Unstop "])
def test_start_opts_in_again(text: str) -> None:
    assert keywords.read(text) == says("in", "keyword")


@pytest.mark.parametrize("text", ["YES", "yes", " Yes "])
def test_a_bare_yes_opts_in_only_who_had_opted_out(text: str) -> None:
    assert keywords.read(text) == says("in", "keyword", only_back=True)


@pytest.mark.parametrize("text", ["HELP", "help ", "Info"])
def test_help_asks_who_we_are(text: str) -> None:
    assert keywords.read(text) == says("help", "keyword")


@pytest.mark.parametrize(
    ("text", "kind", "state"),
    [("ARRET", "STOP", "out"), ("arrêtez", "stop", "out"), ("oui", "START", "in"), ("AIDE", "HELP", "help")],
)
def test_what_twilio_says_comes_first_in_any_language(text: str, kind: str, state: str) -> None:
    assert keywords.read(text, kind) == says(state, "carrier")


def test_twilio_s_word_goes_over_ours() -> None:
    assert keywords.read("YES", "START") == says("in", "carrier"), "no question of whether they had opted out"
    assert keywords.read("STOP", "HELP") == says("help", "carrier")
    assert keywords.read("STOP", "SOMETHING NEW") == says("out", "keyword")


def test_no_word_both_stops_and_starts() -> None:
    assert not STOP & (START | {"yes"})


# --- never -------------------------------------------------------------------------------------------------

VOCABULARY = " ".join([*KEYWORDS, *MEANT, *ORDINARY]).split()
sentences = st.lists(st.sampled_from(VOCABULARY), max_size=30).map(" ".join)


@given(st.lists(st.sampled_from(VOCABULARY), min_size=MOST_WORDS + 1, max_size=40).map(" ".join))
def test_no_long_text_is_ever_an_opt_out(text: str) -> None:
    many = [word for word in text.split() if any(letter.isalnum() for letter in word)]

    assert keywords.read(text) is None or len(many) <= MOST_WORDS


@given(sentences, st.from_regex(r"[0-9]{6}", fullmatch=True), sentences)
def test_no_text_with_a_code_is_ever_an_opt_out(before: str, code: str, after: str) -> None:
    assert keywords.read(f"{before} {code} {after}") is None


@given(st.text(max_size=2000))
def test_no_text_trips_it(text: str) -> None:
    keywords.read(text, text[:5])


@given(st.sampled_from([*MEANT, *KEYWORDS]), st.sampled_from(string.ascii_lowercase))
def test_what_goes_on_with_other_words_is_no_opt_out(text: str, letter: str) -> None:
    assert keywords.read(f"{text} {letter * 9}") is None
    assert keywords.read(f"don't {text}") is None


# --- whose -------------------------------------------------------------------------------------------------


def test_sms_and_rcs_share_what_a_number_wants_and_whatsapp_does_not() -> None:
    ours, theirs = "+15557770000", "+15550001111"
    by_text = keywords.consent_of(ThreadRef("sms", ours, theirs), ours="+1")

    assert by_text == ThreadRef("sms", ours, theirs)
    assert keywords.consent_of(ThreadRef("sms", ours, f"rcs:{theirs}"), ours="+1") == by_text
    assert keywords.consent_of(ThreadRef("sms", "", theirs), ours=ours) == by_text
    assert keywords.consent_of(ThreadRef("sms", ours, f"whatsapp:{theirs}"), ours="+1") != by_text
