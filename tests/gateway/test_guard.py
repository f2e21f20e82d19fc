"""What every endpoint does before it believes a request; and the health pages."""

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gateway.errors import Foreign, NotProven, Refused, TooLarge, Unreadable
from gateway.web import app as web
from gateway.web.guard import Endpoint, capped_body, refusing

MOST = 10


def client(app: Starlette) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://gateway.example")


def behind_the_guard(endpoint: Endpoint) -> httpx.AsyncClient:
    return client(Starlette(routes=[Route("/x", refusing(endpoint), methods=["POST"])]))


async def echo(request: Request) -> Response:
    return Response(await capped_body(request, MOST))


@pytest.mark.parametrize(
    ("body", "status"), [(b"", 200), (b"x" * MOST, 200), (b"x" * (MOST + 1), 413), (b"x" * 1_000_000, 413)]
)
async def test_a_body_is_taken_up_to_its_cap(body: bytes, status: int) -> None:
    async with behind_the_guard(echo) as http:
        answer = await http.post("/x", content=body)

    assert answer.status_code == status
    assert status != 200 or answer.content == body


async def test_a_body_without_end_is_refused_as_soon_as_it_is_too_long() -> None:
    sent = 0

    async def forever() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b"xxxx"

    messages = forever()

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": await anext(messages), "more_body": True}

    request = Request({"type": "http", "method": "POST", "headers": []}, receive)
    with pytest.raises(TooLarge):
        await capped_body(request, MOST)

    assert sent == 3


@pytest.mark.parametrize(
    ("refusal", "status"),
    [(Refused, 400), (Unreadable, 400), (NotProven, 401), (Foreign, 403), (TooLarge, 413)],
)
async def test_a_refusal_becomes_its_status_and_its_one_sentence(refusal: type[Refused], status: int) -> None:
    async def refuse(_request: Request) -> Response:
        raise refusal("this is why")

    async with behind_the_guard(refuse) as http:
        answer = await http.post("/x", content=b"secret words")

    assert (answer.status_code, answer.text) == (status, "this is why\n")


async def test_the_log_names_the_refusal_and_not_the_body(caplog: pytest.LogCaptureFixture) -> None:
    async def refuse(request: Request) -> Response:
        await capped_body(request, 100)
        raise NotProven("no signature")

    async with behind_the_guard(refuse) as http:
        await http.post("/x?token=secret", content=b"secret words")

    assert "/x refused: no signature" in caplog.text
    assert "secret" not in caplog.text


async def test_another_error_is_not_dressed_up_as_a_refusal() -> None:
    async def fail(_request: Request) -> Response:
        raise RuntimeError("the disk is full")

    async with behind_the_guard(fail) as http:
        answer = await http.post("/x")

    assert answer.status_code == 500
    assert "disk" not in answer.text


async def fine() -> str | None:
    return None


async def behind() -> str | None:
    return "the database is at revision none"


async def broken() -> str | None:
    raise ConnectionError("postgresql://user:password@host is away")


async def test_a_living_process_says_so_whatever_else_is_wrong() -> None:
    async with client(web.build([], {"database": broken})) as http:
        answer = await http.get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


async def test_ready_means_that_every_check_is_content() -> None:
    async with client(web.build([], {"database": fine, "migrations": fine})) as http:
        answer = await http.get("/readyz")

    assert (answer.status_code, answer.json()) == (
        200,
        {"ready": True, "checks": {"database": "ok", "migrations": "ok"}},
    )


async def test_not_ready_says_why_and_no_password() -> None:
    async with client(web.build([], {"database": broken, "migrations": behind, "more": fine})) as http:
        answer = await http.get("/readyz")

    assert answer.status_code == 503
    assert answer.json() == {
        "ready": False,
        "checks": {
            "database": "ConnectionError; see the log",
            "migrations": "the database is at revision none",
            "more": "ok",
        },
    }


async def test_other_routes_stand_beside_the_health_pages() -> None:
    async def hello(_request: Request) -> Response:
        return PlainTextResponse("hello")

    async with client(web.build([Route("/hello", hello)], {})) as http:
        assert (await http.get("/hello")).text == "hello"
        assert (await http.get("/nowhere")).status_code == 404
