"""`/api/approvals`: what waits, and people's own decisions. The token says who it is; it is never logged."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Header, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Mount

from gateway import docket, sentences
from gateway.approvals import Approvals
from gateway.docket import Entry
from gateway.errors import DatabaseAway
from gateway.events import ApprovalView, Identity, Verdict
from gateway.policy import Policy
from gateway.ports import Decision, Result
from gateway.store import Store
from gateway.tokens import Tokens
from gateway.web import bearer

VIA = "api"
MOST_BODY = 256 * 1024  # bytes; the arguments of an edit have at most 100,000 characters
DIGEST = r"^[0-9a-f]{8,64}$"
STATUS: dict[Result, int] = {
    **dict.fromkeys(("decided", "voted", "edited"), 200),
    **dict.fromkeys(("not_allowed", "elsewhere", "forbidden"), 403),
    "unknown": 404,
    **dict.fromkeys(("already", "changed", "paused", "unseen"), 409),
    **dict.fromkeys(("reason_required", "invalid"), 422),
    "unsure": 503,
}
HOW = {
    "unseen": " GET it with your token, or name all of its digest.",
    "reason_required": " Add `reason`.",
    "changed": " GET it and send the new digest.",
}


class Given(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DecisionGiven(Given):
    """`digest`: that of the request as you read it. Its first 8 characters will do where you have opened it."""

    verdict: Verdict
    reason: str = Field(default="", max_length=2_000)
    digest: str = Field(default="", pattern=rf"^$|{DIGEST}")


class EditGiven(Given):
    """All arguments as they shall be, with the types the tool's JSON Schema names."""

    arguments: dict[str, Any]
    digest: str = Field(pattern=DIGEST)


class Answer(BaseModel):
    """`said` is the result in a sentence."""

    result: str
    said: str
    approval: ApprovalView


class Problem(BaseModel):
    """`error` is for programs, `detail` for people; `problems` name what is wrong with a body, a line each."""

    error: str
    detail: str
    problems: tuple[str, ...] = ()


class Refusal(Exception):
    """Answered with its status and a `Problem`."""

    def __init__(self, status: int, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.status = status
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Desk:
    """What the endpoints stand on. An empty `ops_token` is nobody's."""

    store: Store
    policy: Policy
    approvals: Approvals
    tokens: Tokens
    ops_token: str

    async def caller(self, header: str) -> Identity | Literal["operations"]:
        """Raises `Refusal`."""
        given = bearer.sent(header)
        if bearer.same(given, self.ops_token):
            return "operations"
        who = await self.tokens.bearer(given) if given else None
        if who is None:
            said = "Send your own token as `Authorization: Bearer ...`; `gateway people token NAME` prints it."
            raise Refusal(401, Problem(error="no_token" if not given else "wrong_token", detail=said))
        return who

    async def person(self, header: str) -> Identity:
        """Raises `Refusal`, also for operations."""
        who = await self.caller(header)
        if who == "operations":
            said = "OPS__TOKEN decides nothing: send a person's own token (`gateway people token NAME` prints it)."
            raise Refusal(403, Problem(error="not_a_person", detail=said))
        return who

    async def entries(self, who: Identity | Literal["operations"], every: bool, limit: int) -> list[Entry]:
        if who == "operations":
            return await self.store.read(lambda db: docket.entries(db, self.policy, every=every, limit=limit))
        mine = await self.approvals.theirs(who, every=every, limit=limit)
        return await self.store.read(lambda db: docket.of_rows(db, self.policy, mine))

    async def shown(self, approval_id: str) -> ApprovalView:
        """As surfaces show it. Raises `Refusal`."""
        found = await self.store.read(lambda db: docket.shown(db, self.policy, approval_id))
        if found is None:
            raise _refusal(Decision(result="unknown"))
        return found


def mounted(desk: Desk) -> tuple[Sequence[BaseRoute], Callable[[], dict[str, Any]]]:
    """The routes below `/api`, and their OpenAPI, made when it is first asked for: a start need not wait for it."""
    app = _app(desk)
    return [Mount("/api", app=app)], app.openapi


def _app(desk: Desk) -> FastAPI:
    app = FastAPI(
        title="Gatehouse",
        version="1",
        description="Requests for approval: what waits, and people's own decisions.",
        servers=[{"url": "/api"}],
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(HTTPBearer(auto_error=False))],
        responses={status: {"model": Problem} for status in (401, 403, 404, 409, 413, 422, 503)},
        max_body_size=MOST_BODY,
    )
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(HTTPException, _otherwise)
    app.add_exception_handler(DatabaseAway, _away)
    _add_endpoints(app, desk)
    return app


Caller = Annotated[str, Header(alias="Authorization", include_in_schema=False)]
Id = Annotated[str, Path(max_length=100, pattern=r"^[^\x00]*$", description="As the list has it.")]
Every = Annotated[bool, Query(alias="all", description="Also those that were settled.")]
Limit = Annotated[int, Query(ge=1, le=1_000, description="At most so many, the newest.")]


def _add_endpoints(app: FastAPI, desk: Desk) -> None:
    @app.get("/approvals", summary="What waits for a decision")
    async def list_all(authorization: Caller = "", every: Every = False, limit: Limit = 200) -> list[Entry]:
        """With OPS__TOKEN all, with a person's token those that are theirs to decide. Without anybody's words."""
        return await desk.entries(await desk.caller(authorization), every, limit)

    @app.get("/approvals/{id}", summary="One request")
    async def show(id: Id, authorization: Caller = "") -> ApprovalView:
        """With a person's token the whole of it, and that they opened it is kept: approving needs it.

        With OPS__TOKEN what is shown to approvers, without hidden arguments.
        """
        who = await desk.caller(authorization)
        if who == "operations":
            return await desk.shown(id)
        decision = await desk.approvals.read(id, who, whole=True, via=VIA)
        return _theirs(decision, ("decided", "already"))

    @app.post("/approvals/{id}/decision", summary="Approve or deny")
    async def decide(id: Id, given: DecisionGiven, authorization: Caller = "") -> Answer:
        """With a person's token. To approve, GET it first, or name the digest of what you have read. Twice is safe."""
        who = await desk.person(authorization)
        what: dict[str, Any] = {"via": VIA, "reason": given.reason, "digest": given.digest}
        return _answer(await desk.approvals.decide(id, who, given.verdict, **what))

    @app.post("/approvals/{id}/edit", summary="Change the arguments")
    async def edit(id: Id, given: EditGiven, authorization: Caller = "") -> Answer:
        """With a person's token, before anybody approves. Nothing is converted; earlier approvals do not count."""
        who = await desk.person(authorization)
        return _answer(await desk.approvals.edit(id, who, given.arguments, via=VIA, digest=given.digest))


# --- answers -------------------------------------------------------------------------------------------------


def _answer(decision: Decision) -> Answer:
    view = _theirs(decision, ("decided", "voted", "edited"))
    return Answer(result=decision.result, said=sentences.answer(decision), approval=view)


def _theirs(decision: Decision, fine: tuple[Result, ...]) -> ApprovalView:
    """Raises `Refusal`."""
    if decision.result not in fine or decision.approval is None:
        raise _refusal(decision)
    return decision.approval


def _refusal(decision: Decision) -> Refusal:
    said = sentences.answer(decision) + HOW.get(decision.result, "")
    return Refusal(STATUS[decision.result], Problem(error=decision.result, detail=said, problems=decision.problems))


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal)
    headers = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "5"}}.get(error.status)
    return JSONResponse(error.problem.model_dump(), status_code=error.status, headers=headers)


async def _unreadable(_request: Request, error: Exception) -> JSONResponse:
    """Names what is wrong, and repeats nothing of what was sent."""
    assert isinstance(error, RequestValidationError)
    lines = tuple(f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors())
    problem = Problem(error="unreadable", detail="The request is not as /openapi.json says; see `problems`.")
    return JSONResponse(problem.model_copy(update={"problems": lines}).model_dump(), status_code=422)


async def _otherwise(_request: Request, error: Exception) -> JSONResponse:
    """No such address, the wrong method, a body that is too large."""
    assert isinstance(error, HTTPException)
    problem = Problem(error="http", detail=f"{error.detail}; /openapi.json says what there is.")
    return JSONResponse(problem.model_dump(), status_code=error.status_code, headers=error.headers)


async def _away(_request: Request, error: Exception) -> JSONResponse:
    problem = Problem(error="database_away", detail="The database does not answer. Ask again: twice is safe.")
    return JSONResponse(problem.model_dump(), status_code=503, headers={"Retry-After": "5"})
