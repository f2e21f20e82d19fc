"""The JSON API behind the page: its verbs, and whom it refuses."""

import httpx
import pytest

from adapters.sandbox import cast

OURS = {"X-Sandbox": "1"}


@pytest.fixture
async def http(world):
    async with httpx.AsyncClient(base_url=world.url, trust_env=False, verify=False) as client:
        yield client


async def test_the_page_loads_nothing_from_elsewhere(http):
    page = await http.get("/sandbox")
    assert (await http.get("/sandbox/")).text == page.text

    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "://" not in page.text.replace("http://www.w3.org/2000/svg", "")
    for name in ("page.js", "phone.js", "carrier.js", "page.css", "phone.css", "slack.css", "icon.svg"):
        answer = await http.get(f"/sandbox/static/{name}")
        assert answer.status_code == 200
        assert answer.headers["content-security-policy"] == policy


async def test_a_text_goes_through_the_page(world, http):
    answer = await http.post("/sandbox/api/text", json={"number": cast.ALICE, "body": "hi"}, headers=OURS)

    assert answer.json() == {"ok": True}
    state = (await http.get("/sandbox/api/state")).json()
    assert state["phones"][cast.ALICE][0]["body"] == "hi"
    assert world.gateway.at("/sms/inbound")[0].form["Body"] == "hi"


async def test_who_asks_with_an_old_version_is_answered_at_once(world, http):
    world.sandbox.reset()
    answer = await http.get("/sandbox/api/state", params={"since": "0"}, timeout=5)

    assert answer.json()["version"] > 0


@pytest.mark.parametrize(
    ("deed", "headers", "body", "status"),
    [
        ("reset", {}, "{}", 403),
        ("reset", OURS | {"Origin": "https://elsewhere.example"}, "{}", 403),
        ("reset", OURS | {"Host": "elsewhere.example"}, "{}", 403),
        ("fly", OURS, "{}", 404),
        ("text", OURS, '{"number": 5}', 400),
        ("text", OURS, "oops", 400),
        ("click", OURS, '{"user": "U0ANA", "channel": "C0OPS", "ts": "1.1", "action_id": "x"}', 409),
    ],
)
async def test_what_is_wrong_is_refused_in_a_sentence(http, deed, headers, body, status):
    answer = await http.post(f"/sandbox/api/{deed}", content=body, headers=headers)

    assert answer.status_code == status
    assert answer.json()["problem"]


async def test_another_name_of_this_machine_reads_nothing(http):
    answer = await http.get("/sandbox/api/state", headers={"Host": "elsewhere.example"})

    assert answer.status_code == 403
