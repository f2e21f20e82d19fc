"""STOP, START and HELP on a real phone of the sandbox, through Twilio's client; and what operations see of it."""

import json

from gateway.words import Words
from tests.helpers.cli import says
from tests.helpers.meddling import spoil
from tests.helpers.rows import rows
from tests.helpers.town import POLICY, Town, Under

WHERE = "Where is order A-1001?"
WORDS = Words()
APPROVER = "+15550002222"
CHAIN = POLICY.replace('slack = "U0ANA"', f'slack = "U0ANA"\nsms = "{APPROVER}"').replace(
    'ask = ["slack:C0OPS"]', 'ask = ["sms:ana"]\nescalate_to = ["slack:C0OPS"]'
)


async def kept(town: Town) -> list[tuple[str, str, str]]:
    return [(row["address"], row["state"], row["source"]) for row in await rows(town.store, "consents")]


async def test_a_customer_who_writes_stop_hears_no_more_of_us_until_they_write_start(under: Under) -> None:
    async with under(POLICY) as town:
        await town.alice.texts(WHERE)
        await town.alice.reads("A-1001")
        answer = await town.alice.texts("STOP")
        assert answer.status_code == 200
        before = town.alice.got()

        await town.alice.texts(WHERE)

        assert await kept(town) == [(town.alice.number, "out", "keyword")]
        assert town.alice.got() == before, "the carrier's own confirmation is the last word"
        assert [row["state"] for row in await rows(town.store, "turns")] == ["done"]

        await town.alice.texts("START")
        await town.alice.texts("Where is order A-1002?")
        await town.alice.reads("A-1002")
        assert await kept(town) == [(town.alice.number, "in", "keyword")]


async def test_plain_wording_stops_us_too(under: Under) -> None:
    async with under(POLICY) as town:
        await town.alice.texts("Please stop texting me!")
        await town.alice.texts(WHERE)
        await town.bob.texts(WHERE)
        await town.bob.reads("A-1001")

        assert town.alice.got() == []
        assert await kept(town) == [(town.alice.number, "out", "words")]


async def test_help_is_answered_by_us_where_twilio_does_not(under: Under) -> None:
    async with under(POLICY) as town:
        await town.alice.texts("HELP")

        await town.alice.reads(WORDS.help)
        assert await rows(town.store, "turns") == []


async def test_a_refusal_of_twilio_teaches_us_and_the_request_goes_to_the_next(under: Under) -> None:
    async with under(CHAIN) as town:
        await town.sandbox.text(APPROVER, "STOP")
        await spoil(town.store, "DELETE FROM consents")  # a backup from before: only Twilio knows

        await town.alice.texts("Please refund order A-1001, $40.")
        # The alert, that the approver was not reached, comes first.
        asked = [
            card for card in await town.until(lambda: town.cards()[1:], "the card") if "issue_refund" in card["text"]
        ]

        assert (APPROVER, "out", "refused") in await kept(town)
        await town.ana.approves(asked[-1])
        await town.alice.reads("I refunded $40")


async def test_operations_see_who_wants_no_messages(under: Under) -> None:
    async with under(POLICY) as town:
        await town.alice.texts(WHERE)
        await town.alice.reads("A-1001")
        await town.alice.texts("STOP")

        url = town.settings.database_url

        (one,) = json.loads(await says(url, "people", "optouts", "--json"))
        assert (one["address"], one["state"], one["source"]) == (town.alice.number, "out", "keyword")
        assert town.alice.number in await says(url, "people", "optouts")
        assert "wants no messages from" in await says(url, "conversations", "show", "1")
        shown = json.loads(await says(url, "conversations", "show", "1", "--json"))
        assert [one["state"] for one in shown["consents"]] == ["out"]
        assert [step["kind"] for step in shown["steps"] if step["what"] == "event"] == ["message", "consent"]
        person, agent = f"sms:{town.alice.number}", {"AGENT_SERVER__DATABASE_URL": town.settings.embedded_database_url}
        theirs = json.loads(await says(url, "conversations", "export", "--person", person, **agent))
        assert [row["state"] for row in theirs["consents"]] == ["out"]
        assert "STOP" in [message["text"] for message in theirs["conversations"][0]["messages"]]
