"""Full-text search over an agent's documents."""

import pytest
from hypothesis import given, strategies as st

from adapters.agent.server.definitions import AgentDefinition, Document, Knowledge, load
from adapters.agent.server.store import Store
from adapters.agent.server.tools import FUNCTIONS, Call
from adapters.agent.server.tools.knowledge import MAX_PASSAGE_CHARS, MAX_PASSAGES, Index, passages
from tests.adapters.agent.world import AGENTS

SUPPORT = load(AGENTS)["support"]
SHIPPING = Document(title="Shipping", text="We ship to Norway within 9 days.\n\nWe never ship to the moon.")


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("What is your refund policy?", "Refund and return policy"),
        ("Can I return it?", "Refund and return policy"),
        ("How much is shipping?", "Shipping"),
        ("Do you ship for free?", "Shipping"),
        ("Is there a warranty?", "Warranty"),
        ("When are you open?", "Opening hours"),
        ("What is your policy on unicorns?", None),
        ("Do you sell unicorns in 2 colours?", None),
        ("What is your policy?", None),
        ("", None),
    ],
)
async def test_a_question_finds_its_document(store: Store, query: str, title: str | None) -> None:
    call = Call(store.database, SUPPORT, "s1", "c1")

    documents = (await FUNCTIONS["search_knowledge"].run(call, {"query": query}))["documents"]

    assert (documents[0]["title"] if documents else None) == title


async def test_each_agent_searches_its_own_documents(store: Store) -> None:
    for text in ("Kites fly.", "Kites swim."):
        knowledge = Knowledge(documents=(Document(title="Kites", text=text),))
        call = Call(store.database, AgentDefinition(name="shop", knowledge=knowledge), "s1", "c1")

        [found] = (await FUNCTIONS["search_knowledge"].run(call, {"query": "What do kites do?"}))["documents"]

        assert found["text"] == text


def test_the_passage_that_says_most_comes_first_and_those_that_say_nothing_not_at_all() -> None:
    long = Document(title="Everything", text="\n\n".join([*(["Kites are fun. " * 40] * 5), "Norway is far, 9 days."]))

    found = Index([SHIPPING, long]).find("How many days to Norway?")

    assert [title for title, _ in found] == ["Shipping", "Everything"]
    assert all("Norway" in text for _, text in found)


def test_not_more_than_a_few_passages_are_given() -> None:
    many = [Document(title=f"Kite {number}", text="Kites fly high.") for number in range(50)]

    assert len(Index(many).find("How high do kites fly?")) == MAX_PASSAGES


def test_words_are_found_in_other_forms_and_with_other_accents() -> None:
    index = Index([Document(title="Café", text="Orders are refunded.")])

    assert index.find("cafe")
    assert index.find("refunding an order")


@pytest.mark.parametrize(
    "query",
    [
        'title:shipping" OR "',
        "NEAR(ship moon)",
        "ship*",
        "-ship",
        "^ship",
        "ship AND",
        '"""',
        "title : ship",
        "{title}: ship",
    ],
)
def test_what_the_model_writes_is_words_and_no_query_language(query: str) -> None:
    found = Index([SHIPPING, Document(title="Kites", text="They fly.")]).find(query)

    assert {title for title, _ in found} <= {"Shipping"}


@given(st.text())
def test_any_question_can_be_asked(query: str) -> None:
    Index([SHIPPING]).find(query)


@given(st.text(alphabet="ab .\n#", max_size=6_000))
def test_passages_are_short_and_lose_no_word(text: str) -> None:
    pieces = list(passages(text))

    assert all(len(piece) <= MAX_PASSAGE_CHARS + 2 for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())


def test_a_heading_stays_with_what_is_below_it() -> None:
    text = "# Kites\n\nThey fly.\n\n## Boats\n\nThey swim."

    assert list(passages(text)) == ["# Kites\n\nThey fly.", "## Boats\n\nThey swim."]


def test_a_long_text_is_cut_at_the_end_of_a_sentence() -> None:
    pieces = list(passages("A sentence of some words. " * 200))

    assert len(pieces) > 1
    assert all(piece.endswith(".") for piece in pieces)
