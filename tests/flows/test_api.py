"""People decide over `/api/approvals`, each with a token of their own; operations may look."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import insert

from config.settings import OpsVariables
from gateway import docket
from gateway.store import Store, Tx
from gateway.store.sql import table
from gateway.store.tables import ApprovalRow
from tests.helpers.clock import Clock
from tests.helpers.meddling import spoil
from tests.helpers.rows import rows
from tests.helpers.terminal import Terminal
from tests.helpers.town import POLICY, Town

REFUND = "Please refund order A-1001, $40."
OPS = "a-token-of-the-tests-alone"
TWO = (
    POLICY.replace('"24h"', '"24h"\nredact = ["order_id"]')
    + """
[people.max]
slack = "U0MAX"

[approvals.tools.update_address]
approvers = ["max"]
"""
)
SCHEMA = {"type": "object", "properties": {"order_id": {"type": "string"}, "amount": {"type": "number"}}}


@dataclass
class Api:
    town: Town
    terminal: Terminal
    http: httpx.AsyncClient

    async def asks(self, token: str, path: str = "") -> httpx.Response:
        return await self.http.get(f"/api/approvals{path}", headers=_bearer(token))

    async def posts(self, token: str, path: str, body: Any) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {**_bearer(token), "content-type": "application/json"}
        return await self.http.post(f"/api/approvals{path}", content=content, headers=headers)

    async def request(self) -> dict[str, Any]:
        """Alice has asked for a refund; the row."""
        await self.town.alice.texts(REFUND)
        await self.town.card()
        await spoil(self.town.store, f"UPDATE approvals SET input_schema = '{json.dumps(SCHEMA)}'")
        return (await rows(self.town.store, "approvals"))[-1]


def _bearer(token: str) -> dict[bytes, bytes]:
    return {b"authorization": f"Bearer {token}".encode()} if token else {}


@pytest.fixture
async def api(database_url: str, tmp_path: Path, clock: Clock) -> AsyncIterator[Api]:
    town = Town(database_url, tmp_path, clock, TWO)
    town.settings = town.settings.model_copy(update={"ops": OpsVariables(token=SecretStr(OPS))})
    await town.open()
    try:
        async with httpx.AsyncClient(base_url=town.live.url, timeout=20) as http:
            yield Api(town, Terminal(town, tmp_path), http)
    finally:
        await town.close()


async def test_ana_reads_the_whole_and_approves_and_the_customer_hears_it(api: Api) -> None:
    ana, request = await api.terminal.token_of("ana"), await api.request()
    at = f"/{request['id']}"

    (listed,) = (await api.asks(ana)).json()
    unseen = await api.posts(ana, f"{at}/decision", {"verdict": "approve"})
    whole = (await api.asks(ana, at)).json()
    done = await api.posts(ana, f"{at}/decision", {"verdict": "approve", "digest": whole["digest"]})
    late = await api.posts(ana, f"{at}/decision", {"verdict": "deny"})

    assert (listed["id"], listed["state"], listed["required"]) == (request["id"], "pending", 1)
    assert "A-1001" not in str(listed)
    assert (unseen.status_code, unseen.json()["error"]) == (409, "unseen")
    assert (whole["arguments"]["order_id"], whole["message"]) == ("A-1001", REFUND)
    assert done.status_code == 200
    assert (done.json()["result"], done.json()["said"]) == ("decided", "Approved: issue_refund.")
    assert (late.status_code, late.json()["error"]) == (409, "already")
    assert "Already decided. Approved by ana" in late.json()["detail"]
    assert "A-1001" in (await api.town.alice.gets(2))[1]
    await api.town.card_says("Approved by ana")


async def test_ana_changes_the_amount_and_its_type_is_looked_at(api: Api) -> None:
    ana, request = await api.terminal.token_of("ana"), await api.request()
    at = f"/{request['id']}"
    await api.asks(ana, at)
    edit: dict[str, Any] = {"arguments": {"order_id": "A-1001", "amount": 35}, "digest": request["digest"]}

    wrong = await api.posts(ana, f"{at}/edit", edit | {"arguments": {"order_id": "A-1001", "amount": "35"}})
    stale = await api.posts(ana, f"{at}/edit", edit | {"digest": "0" * 64})
    changed = await api.posts(ana, f"{at}/edit", edit)
    before = await api.posts(ana, f"{at}/decision", {"verdict": "approve", "digest": request["digest"]})

    assert (wrong.status_code, wrong.json()["problems"]) == (422, ["amount: '35' is not of type 'number'"])
    assert (stale.status_code, stale.json()["error"]) == (409, "changed")
    assert changed.json()["approval"]["difference"][0] == "amount: 40 -> 35"
    assert (before.status_code, before.json()["error"]) == (409, "changed")
    digest = changed.json()["approval"]["digest"]
    assert (await api.posts(ana, f"{at}/decision", {"verdict": "approve", "digest": digest})).status_code == 200
    assert "$35" in (await api.town.alice.gets(2))[1]


async def test_operations_see_what_surfaces_show_and_decide_nothing(api: Api) -> None:
    request = await api.request()
    at = f"/{request['id']}"

    (listed,) = (await api.asks(OPS)).json()
    shown = (await api.asks(OPS, at)).json()
    decided = await api.posts(OPS, f"{at}/decision", {"verdict": "deny"})
    edited = await api.posts(OPS, f"{at}/edit", {"arguments": {}, "digest": request["digest"]})

    assert listed["requester"].startswith("sms:")
    assert api.town.alice.number not in str(listed)
    assert "hidden" in shown["arguments"]["order_id"]
    assert shown["arguments"]["amount"] == 40
    for answer in (decided, edited):
        assert (answer.status_code, answer.json()["error"]) == (403, "not_a_person")
    assert [row["state"] for row in await rows(api.town.store, "approvals")] == ["pending"]
    assert await rows(api.town.store, "openings") == []


async def test_a_colleague_who_may_not_decide_learns_nothing(api: Api) -> None:
    max_, request = await api.terminal.token_of("max"), await api.request()
    at = f"/{request['id']}"

    assert (await api.asks(max_)).json() == []
    for answer in (
        await api.asks(max_, at),
        await api.posts(max_, f"{at}/decision", {"verdict": "approve", "digest": request["digest"]}),
        await api.posts(max_, f"{at}/edit", {"arguments": {}, "digest": request["digest"]}),
    ):
        told = "This request is not yours to decide. Nothing was changed."
        assert answer.status_code == 403
        assert answer.json() == {"error": "not_allowed", "detail": told, "problems": []}


@pytest.mark.parametrize("token", ["", "x", "gh-ana-1-" + "0" * 48, "gh-eve-1-" + "0" * 48, "gh-ana-1-é", "\u0000"])
async def test_without_a_good_token_there_is_nothing(token: str, api: Api) -> None:
    await api.terminal.token_of("ana")
    request = await api.request()
    if token == "\u0000":
        token = "gh-\xff-1-x"

    for answer in (await api.asks(token), await api.asks(token, f"/{request['id']}"), await api.asks(token, "/none")):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "gateway people token" in answer.json()["detail"]
        assert not token or token not in answer.text


async def test_an_unknown_request_is_answered_like_one_of_others_and_operations_hear_that_there_is_none(
    api: Api,
) -> None:
    max_, request = await api.terminal.token_of("max"), await api.request()
    edit, verdict = {"arguments": {}, "digest": request["digest"]}, {"verdict": "deny"}

    for path, body in (("", None), ("/decision", verdict), ("/edit", edit)):
        of_others, unknown = [
            await (api.asks(max_, f"/{id}{path}") if body is None else api.posts(max_, f"/{id}{path}", body))
            for id in (request["id"], "none")
        ]
        assert (unknown.status_code, unknown.content) == (of_others.status_code, of_others.content)
        assert unknown.headers.keys() == of_others.headers.keys()
    assert (await api.asks(OPS, "/none")).status_code == 404
    assert (await api.http.get("/api/none")).json()["error"] == "http"


async def asked_of_max(store: Store, like: dict[str, Any], number: int) -> None:
    """So many newer requests, of a tool that is none of Ana's business."""
    others = [
        {**like, "id": f"max-{n}", "request_message_id": f"max-{n}", "tool": "update_address"}
        | {"created_at": like["created_at"] + timedelta(seconds=n // 2)}
        for n in range(number)
    ]

    async def deed(tx: Tx) -> None:
        await (await tx.db.connection()).execute(insert(table(ApprovalRow)), others)

    await store.write(deed)


async def test_requests_of_others_take_no_place_in_the_list_of_ana(api: Api) -> None:
    ana, request = await api.terminal.token_of("ana"), await api.request()
    await asked_of_max(api.town.store, request, docket.LIMIT + 3)

    for path in ("?limit=1", "?limit=1&all=true", ""):
        assert [one["id"] for one in (await api.asks(ana, path)).json()] == [request["id"]]
    assert [one["id"] for one in (await api.asks(OPS, "?limit=1")).json()] != [request["id"]]


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({}, 422, "body.verdict"),
        ({"verdict": "perhaps"}, 422, "body.verdict"),
        ({"verdict": "approve", "digest": "é"}, 422, "body.digest"),
        ({"verdict": "approve", "digest": "abc"}, 422, "body.digest"),
        ({"verdict": "deny", "reason": "x" * 2_001}, 422, "body.reason"),
        ({"verdict": "deny", "force": True}, 422, "body.force"),
        (b"no json", 422, "body"),
        (b"[" * 100_000, 400, "body"),
        (b"x" * 300_000, 413, "large"),
    ],
    ids=["nothing", "verdict", "letters", "short", "reason", "more", "text", "deep", "large"],
)
async def test_a_body_that_cannot_be_read_is_named_and_not_repeated(
    body: Any, status: int, says: str, api: Api
) -> None:
    ana, request = await api.terminal.token_of("ana"), await api.request()

    answer = await api.posts(ana, f"/{request['id']}/decision", body)

    assert answer.status_code == status, answer.text
    assert says in answer.text.lower()
    assert "perhaps" not in answer.text
    assert [row["state"] for row in await rows(api.town.store, "approvals")] == ["pending"]


@pytest.mark.parametrize("amount", [b"NaN", b"1e999", b'"\\ud800"', b"[" * 900 + b"]" * 900])
async def test_arguments_that_no_tool_takes_change_nothing(amount: bytes, api: Api) -> None:
    ana, request = await api.terminal.token_of("ana"), await api.request()
    body = b'{"arguments": {"order_id": "A-1001", "amount": %s}, "digest": "%s"}' % (amount, request["digest"].encode())

    answer = await api.posts(ana, f"/{request['id']}/edit", body)

    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["detail"]
    assert [row["digest"] for row in await rows(api.town.store, "approvals")] == [request["digest"]]


async def test_no_token_is_in_the_log(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    ana, request = await api.terminal.token_of("ana"), await api.request()

    await api.posts(ana, f"/{request['id']}/decision", {"verdict": "deny"})
    await api.asks("gh-ana-9-s3cret")

    assert ana not in caplog.text
    assert "s3cret" not in caplog.text


async def test_the_page_of_the_api_is_for_operations_and_fetches_nothing(api: Api) -> None:
    for path in ("/docs", "/openapi.json"):
        assert (await api.http.get(path)).status_code == 401
        assert (await api.http.get(path, headers=_bearer(OPS))).status_code == 200
    page = (await api.http.get("/docs", headers=_bearer(OPS))).text
    schema = (await api.http.get("/openapi.json", headers=_bearer(OPS))).json()

    assert "POST /api/approvals/{id}/decision" in page
    assert "<script" not in page
    assert "src=" not in page
    assert set(schema["paths"]) == {f"/approvals{one}" for one in ("", "/{id}", "/{id}/decision", "/{id}/edit")}
    assert schema["servers"] == [{"url": "/api"}]
