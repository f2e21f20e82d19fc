"""A question to a person: what the person writes is the answer the agent gets."""

from adapters.agent.server.store import Store
from adapters.agent.server.tool_definitions import Approval, Parameter, ToolDefinition
from tests.helpers.far_model import Conversation, FarModel

ASK = ToolDefinition(
    name="ask_colleague",
    function="ask_human",
    approval=Approval.REQUIRES_APPROVAL,
    parameters={"question": Parameter(description="What to ask.")},
)
LOOKUP = ToolDefinition(name="lookup_order", approval=Approval.REQUIRES_APPROVAL, parameters={"order_id": Parameter()})
QUESTION = "May he keep the kite?"


async def asked(store: Store) -> tuple[FarModel, Conversation]:
    model = FarModel([("ask_colleague", {"question": QUESTION})])
    conversation = Conversation(store, model, ASK)
    await conversation.say("May I keep it?")
    return model, conversation


async def test_the_person_sees_the_question_and_a_place_for_the_answer(store: Store) -> None:
    model, conversation = await asked(store)

    assert list(model.offered["ask_colleague"]["properties"]) == ["question"]
    assert conversation.requests[0]["input"] == {"answer": "", "question": QUESTION}


async def test_the_answer_is_the_result(store: Store) -> None:
    model, conversation = await asked(store)

    await conversation.confirm({"answer": "Yes, tell him it is a present."})

    assert model.came_back == [{"answer": "Yes, tell him it is a present."}]


async def test_a_bare_yes_is_told_as_what_it_is(store: Store) -> None:
    model, conversation = await asked(store)

    await conversation.confirm()

    assert model.came_back == [{"answer": "", "note": "a person agreed, and wrote no answer"}]


async def test_a_person_who_will_not_say_leaves_no_answer_and_the_reason(store: Store) -> None:
    model, conversation = await asked(store)

    await conversation.deny("Ask the boss")

    assert model.came_back == ["No answer. The person would not say, and gave this reason: Ask the boss"]
    assert conversation.ran == []


async def test_nobody_there_leaves_no_answer(store: Store) -> None:
    model, conversation = await asked(store)

    await conversation.deny("UNANSWERED: nobody decided before the deadline")

    assert model.came_back == ["No answer: nobody answered (nobody decided before the deadline)."]


async def test_the_model_cannot_answer_itself(store: Store) -> None:
    model = FarModel([("ask_colleague", {"question": QUESTION, "answer": "Yes."})])
    conversation = Conversation(store, model, ASK)

    await conversation.say("May I keep it?")

    assert model.came_back == ["ask_colleague has no argument answer"]
    assert conversation.requests == []


async def test_the_denial_of_another_tool_stays_as_it_was_said(store: Store) -> None:
    model = FarModel([("lookup_order", {"order_id": "A-1001"})])
    conversation = Conversation(store, model, ASK, LOOKUP)
    await conversation.say("Where is it?")

    await conversation.deny("Not for him")

    assert model.came_back == ["Not for him"]
