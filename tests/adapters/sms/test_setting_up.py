"""What `gateway doctor` says of how a number is set up, asked of the sandbox's Twilio by the real client."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.sandbox import cast
from adapters.sms import wanted
from adapters.sms.channel import SmsChannel
from adapters.sms.settings import SmsSettings
from gateway.ports import Finding
from tests.adapters.sandbox.conftest import ACCOUNT, AUTH_TOKEN, World, clock, state_path, world

__all__ = ["clock", "state_path", "world"]  # fixtures

# twilio 9.13 still logs in the way aiohttp 3.14 deprecates.
pytestmark = [
    pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The 'auth' parameter is deprecated:DeprecationWarning"),
]

SERVICE = "MG" + "b" * 32
SECRET = "https://user:hidden@elsewhere.example/sms/inbound?key=hidden"
Ask = Callable[..., Awaitable[list[Finding]]]


@pytest.fixture
def ask(world: World) -> Ask:
    async def findings(token: str = AUTH_TOKEN) -> list[Finding]:
        ours = {"account_sid": ACCOUNT, "auth_token": token, "from": world.sandbox.settings.sms_from}
        settings = SmsSettings.model_validate(ours | {"api_url": f"{world.url}/sandbox/twilio"})
        channel = SmsChannel(settings, public_url=lambda: f"{world.url}/", clock=lambda: datetime.now(UTC))
        try:
            return list(await channel.check())
        finally:
            await channel.aclose()

    return findings


def wrong(found: list[Finding]) -> list[str]:
    return [one.what for one in found if not one.ok]


def looks(found: list[Finding]) -> list[str]:
    return [one.what for one in found if one.ok and one.advice]


async def test_a_number_that_is_set_up_as_it_should_be_is_fine(world: World, ask: Ask) -> None:
    world.sandbox.numbers.set("account", type="Full")

    found = await ask()

    assert wrong(found) + looks(found) == []
    assert found[-2].what == f"sms: {cast.OUR_NUMBER} calls us"


async def test_a_trial_and_its_limits_are_told(world: World, ask: Ask) -> None:
    found = await ask()

    assert wrong(found) == []
    assert looks(found) == ["sms: the Twilio account is active, on trial"]


async def test_a_suspended_account_is_not_fine(world: World, ask: Ask) -> None:
    world.sandbox.numbers.set("account", status="suspended")

    assert wrong(await ask()) == ["sms: the Twilio account is suspended"]


async def test_an_old_token_that_is_still_listed_is_told_without_it(world: World, ask: Ask) -> None:
    found = await ask(f"{AUTH_TOKEN},old-secret")

    assert "sms: SMS__AUTH_TOKEN lists 2 tokens, and the first is Twilio's" in looks(found)
    assert "secret" not in str(found)


async def test_the_first_token_must_be_the_accounts(world: World, ask: Ask) -> None:
    (one,) = await ask(f"old-secret,{AUTH_TOKEN}")

    assert not one.ok
    assert "the first token in SMS__AUTH_TOKEN" in one.advice
    assert "secret" not in str(one)


@pytest.mark.parametrize("able", [{"voice": True, "sms": False, "mms": False}, {"voice": True}])
async def test_a_landline_is_not_fine(world: World, ask: Ask, able: dict[str, bool]) -> None:
    world.sandbox.numbers.set("number", capabilities=able | {"sms": False})

    assert wrong(await ask()) == [f"sms: {cast.OUR_NUMBER} cannot text: it can voice"]


async def test_a_number_without_pictures_is_worth_a_look(world: World, ask: Ask) -> None:
    world.sandbox.numbers.set("number", capabilities={"voice": True, "sms": True, "mms": False})
    found = await ask()

    assert wrong(found) == []
    assert f"sms: {cast.OUR_NUMBER} takes texts, and no pictures" in looks(found)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sms_url": ""}, "calls nobody: what comes in is lost"),
        ({"sms_url": None}, "calls nobody: what comes in is lost"),
        ({"sms_url": SECRET}, "calls https://elsewhere.example, not us: another gateway answers"),
        ({"sms_url": "OTHER-SCHEME"}, "calls https://127.0.0.1:PORT, not us: another gateway answers"),
        ({"sms_url": "HERE/sms/status"}, "calls us, but not at /sms/inbound"),
        ({"sms_url": "https://[oops"}, None),
        ({"sms_method": "GET"}, "calls us by GET"),
        ({"sms_fallback_url": "HERE/"}, "falls back to us, but not at /sms/inbound"),
    ],
)
async def test_an_address_that_is_not_ours_is_not_fine_and_the_right_one_is_told(
    world: World, ask: Ask, change: dict[str, Any], said: str | None
) -> None:
    put = {"HERE": world.url, "OTHER-SCHEME": world.url.replace("http:", "https:") + "/sms/inbound"}
    for old, new in put.items():
        change = {name: value and value.replace(old, new) for name, value in change.items()}
    world.sandbox.numbers.set("number", **change)
    (one,) = [one for one in await ask() if not one.ok]

    port = world.url.rpartition(":")[2]
    expected = said or "the address"
    assert expected.replace("PORT", port) in one.what
    assert f"{world.url}/sms/inbound#rc=3&rp=all" in one.advice
    assert "hidden" not in str(one)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sms_url": "HERE/sms/inbound"}, "calls us once more at most, and only when it finds no connection"),
        ({"sms_url": "HERE/sms/inbound#rt=9000"}, "calls us once more at most, and only when it finds no connection"),
        ({"sms_fallback_url": ""}, "has no fallback address"),
        ({"sms_fallback_url": SECRET}, "falls back to https://elsewhere.example"),
        ({"sms_application_sid": "AP1"}, "leaves what comes in to the application AP1"),
    ],
)
async def test_what_is_weaker_than_it_could_be_is_worth_a_look(
    world: World, ask: Ask, change: dict[str, str], said: str
) -> None:
    world.sandbox.numbers.set("account", type="Full")
    world.sandbox.numbers.set("number", **{name: value.replace("HERE", world.url) for name, value in change.items()})
    found = await ask()

    assert wrong(found) == []
    assert looks(found) == [f"sms: {cast.OUR_NUMBER} {said}"]
    assert "hidden" not in str(found)


async def test_other_retries_than_ours_and_a_query_are_the_operators_choice(world: World, ask: Ask) -> None:
    world.sandbox.numbers.set("account", type="Full")
    world.sandbox.numbers.set("number", sms_url=f"{world.url}/sms/inbound?from=twilio#rp=5xx,ct&rc=5")
    found = await ask()

    assert wrong(found) + looks(found) == []


async def test_a_messaging_service_is_looked_at_with_its_numbers(world: World, ask: Ask) -> None:
    world.sandbox.settings.sms_from = SERVICE
    world.sandbox.numbers.set("account", type="Full")
    found = await ask()

    assert wrong(found) + looks(found) == []
    said = [one.what for one in found]
    assert f"sms: {cast.OUR_NUMBER} takes texts and pictures" in said
    assert said[-2:] == [f"sms: {SERVICE} calls us", f"sms: {SERVICE} falls back to us"]


async def test_a_service_that_drops_what_comes_in_is_not_fine(world: World, ask: Ask) -> None:
    world.sandbox.settings.sms_from = SERVICE
    world.sandbox.numbers.set("service", inbound_request_url=None)

    assert wrong(await ask()) == [f"sms: {SERVICE} calls nobody: what comes in is lost"]


async def test_a_service_may_leave_it_to_its_numbers(world: World, ask: Ask) -> None:
    world.sandbox.settings.sms_from = SERVICE
    world.sandbox.numbers.set("service", inbound_request_url=None, use_inbound_webhook_on_number=True)
    assert wrong(await ask()) == []
    world.sandbox.numbers.set("number", sms_url="https://elsewhere.example/sms/inbound")

    (one,) = wrong(await ask())
    assert one.startswith(f"sms: {cast.OUR_NUMBER} calls https://elsewhere.example, not us")


async def test_a_service_without_a_number_sends_nothing(world: World, ask: Ask) -> None:
    world.sandbox.settings.sms_from = SERVICE
    world.sandbox.numbers.set("number", gone=True)

    assert wrong(await ask()) == [f"sms: {SERVICE} has no number"]


async def test_a_service_that_is_not_there_is_not_fine(world: World, ask: Ask) -> None:
    world.sandbox.settings.sms_from = SERVICE
    world.sandbox.numbers.set("service", gone=True)

    assert wrong(await ask()) == [f"sms: {SERVICE} is not in the account"]


async def test_a_short_code_is_looked_up_among_short_codes(world: World, ask: Ask) -> None:
    world.sandbox.settings.sms_from = "12345"
    assert wrong(await ask()) == []
    world.sandbox.numbers.set("short_code", sms_url="")
    assert wrong(await ask()) == ["sms: 12345 calls nobody: what comes in is lost"]
    world.sandbox.numbers.set("short_code", gone=True)

    assert wrong(await ask()) == ["sms: 12345 is not in the account"]


async def test_nobody_can_answer_a_name(world: World, ask: Ask) -> None:
    world.sandbox.settings.sms_from = "ACME"

    (one,) = [one for one in await ask() if not one.ok]
    assert (one.what, one.advice) == ("sms: nobody can answer ACME: it is a name", "set SMS__FROM to a number")


def test_the_address_to_set_is_the_public_one_with_retries() -> None:
    assert wanted.address("https://gate.example/") == "https://gate.example/sms/inbound#rc=3&rp=all"
