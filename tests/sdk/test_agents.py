"""Agents made, saved, run and deleted with the real SDK."""

import httpx
import pytest

from tests.sdk.conftest import Sdk

pytestmark = pytest.mark.timeout(300)  # the first one makes the SDK's environment


@pytest.mark.long
async def test_an_agent_lives_its_whole_life(sdk: Sdk) -> None:
    told = await sdk("agents")

    assert told["saved"]["unavailable_tools"] == ["google"]
    assert told["instructions"] == "Keep [[this]] as it is."
    assert told["api_key"] is None
    assert told["memory"] is False
    assert told["tools"]["issue_refund"][:2] == ["custom_tool", "requires_approval"]
    assert told["tools"]["google"][0] == "google_search"
    assert told["tools"]["google"][2]["num_results"] == {"type": "static", "value": 3}
    assert told["same_ids"]
    assert told["listed"] == ["support", "Desk of Ann & Co."]
    assert told["page"] == ["Desk of Ann & Co."]
    assert told["ran"] == ["complete", "Order A-1001 (a box kite) was delivered on 3 November."]
    assert told["forgot"] == "You have not told me anything about yourself yet."
    assert told["request"]["tool_name"] == "issue_refund"
    assert told["request"]["input"] == {"order_id": "A-1001", "amount": 40, "reason": "policy 7"}
    given = {"order_id": "A-1001", "amount": 25, "reason": "by hand"}  # a person may change a static input too
    assert told["refunded"] == ["I refunded $25 for order A-1001.", given]
    assert "there is no agent" in told["gone"]
    assert "does not exist any more" in told["orphaned"][0]


async def test_a_functional_agent_fills_every_output_from_texts_and_files(sdk: Sdk) -> None:
    told = await sdk("functional")

    ids = told["ids"]
    placeholders = [f"{{{{{kind}.{id}}}}}" for kind, id in zip(("inputs", "outputs", "tools"), ids, strict=True)]
    assert len(set(ids)) == 3
    assert all(placeholder in told["before"] for placeholder in placeholders)
    assert told["after"] == told["before"]
    status, outputs, run_id = told["from_path"]
    assert (status, set(outputs)) == ("success", {"brief", "tone"})
    assert run_id
    for said in outputs.values():
        assert "brief (kites)" in said
        assert "paper (Kites fly higher.)" in said
    assert "lines" in told["from_bytes"][1]["brief"]
    assert "[the file" in told["from_bytes"][1]["brief"]
    assert "tails" in told["plain"][1]["tone"]
    assert "topic" in told["wrong"]
    assert told["listed"] == ["support", "brief"]


async def test_what_is_somebody_elses_or_a_files_is_refused_and_the_sdk_says_why(sdk: Sdk) -> None:
    model = {"provider": "offline", "model_id": ""}
    async with httpx.AsyncClient(
        base_url=sdk.url, headers={"Authorization": "Bearer key-2"}, trust_env=False, verify=False
    ) as http:
        theirs = (await http.post("/agent", json={"name": "theirs", "llm_client_key": model})).json()["id"]
    left = await sdk("park", key="key-2")

    told = await sdk("refusals", theirs, left["session_id"])

    missing = ["NotFoundError", 404, f"there is no agent '{theirs}'"]
    assert [told[deed] for deed in ("fetch", "save", "delete", "run")] == [missing] * 4
    assert told["file"][1] == 409
    assert "file" in told["file"][2]
    assert told["name"][1] == 409
    assert "unknown session" in told["session"]
    assert "unknown agent" in told["open"]
