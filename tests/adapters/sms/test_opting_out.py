"""Opt-outs on their way in and out of the adapter: webhooks, Twilio's list, refusals, and the words of HELP."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.datastructures import FormData

from adapters.sms import inbound
from config import wiring
from config.settings import Settings
from gateway.events import Consent, Delivery, Verdict
from gateway.words import Words
from tests.adapters.sms.test_inbound import ALICE, DATA, OURS, needs_data, read


def listed(words: str) -> Any:
    """A text of Twilio's list."""
    known = {"sid": "SM1", "from_": ALICE, "to": OURS, "num_media": "0", "uri": "/SM1", "body": words}
    return SimpleNamespace(**known, messaging_service_sid=None, date_sent=None, date_created=None)


@pytest.mark.parametrize("words", ["STOP", "please stop texting me", "START", "YES", "HELP", "Where is my order?"])
def test_a_webhook_and_the_list_say_the_same_of_a_text(words: str) -> None:
    found = inbound.from_list(listed(words), ours=OURS)

    assert found is not None
    assert found.consent == read(Body=words).consent
    assert (found.consent is None) == words.startswith("Where")


def test_twilio_s_own_word_is_read_from_its_webhook() -> None:
    assert read(Body="ARRET", OptOutType="STOP").consent == Consent(state="out", source="carrier")


def test_a_picture_with_stop_below_it_opts_out() -> None:
    text = read(Body="STOP", NumMedia="1", MediaUrl0="https://api.twilio.com/x", MediaContentType0="image/png")

    assert text.consent == Consent(state="out", source="keyword")


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_button_of_ours_opts_nobody_out_whatever_stands_on_it(verdict: Verdict) -> None:
    there = {"From": f"whatsapp:{ALICE}", "To": f"whatsapp:{OURS}"}
    pressed = read(Body="STOP", ButtonPayload=f"ap-1:{verdict.value}:0123456789abcdef", **there)

    assert (pressed.pressed is not None, pressed.consent) == (True, None)
    assert read(Body="STOP", ButtonPayload="no more offers").consent == Consent(state="out", source="keyword")


@needs_data
def test_the_shared_webhooks_say_who_opts_out_and_in() -> None:
    items = json.loads((DATA / "webhooks/inbound.json").read_text())["items"]
    said = {
        name: found.state
        for name, item in items.items()
        if not name.startswith("status_") and (found := inbound.read(FormData(item["form"]), ours=OURS).consent)
    }
    refused = [name for name in items if name.startswith("status_") and _is_refused(items[name]["form"])]

    assert said == {"stop_advanced_optout": "out", "start_advanced_optout": "in"}
    assert refused == ["status_failed"]


def _is_refused(form: dict[str, str]) -> bool:
    return inbound.read_status(FormData(form)).state is Delivery.REFUSED


@pytest.mark.parametrize(
    ("said", "code", "state"),
    [
        ("failed", "21610", Delivery.REFUSED),
        ("undelivered", "21610", Delivery.REFUSED),
        ("failed", "30007", Delivery.FAILED),
        ("failed", "", Delivery.FAILED),
        ("delivered", "21610", Delivery.DELIVERED),
    ],
)
def test_a_report_with_twilio_s_code_for_an_opt_out_is_a_refusal(said: str, code: str, state: Delivery) -> None:
    report = inbound.read_status(FormData({"MessageSid": "SM2", "MessageStatus": said, "ErrorCode": code}))

    assert (report.provider_id, report.state) == ("SM2", state)


# --- HELP --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "said"),
    [("", Words().help), ("Acme support, +1 555.", "Acme support, +1 555."), ("off", ""), (" OFF ", "")],
)
def test_the_answer_to_help_is_ours_the_environment_s_or_twilio_s(written: str, said: str) -> None:
    sms = {"account_sid": "AC1", "auth_token": "s", "from": OURS, "help": written}

    assert wiring.words_of(Settings.model_validate({"sms": sms})).help == said


def test_the_answer_to_help_names_the_way_out_in_one_segment() -> None:
    assert "STOP" in Words().help
    assert len(Words().help) <= 160
