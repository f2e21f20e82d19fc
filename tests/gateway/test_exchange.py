"""One exchange with a session: nothing is posted twice, and nobody else's answer is taken for ours."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from gateway import exchange, listening
from gateway.errors import AgentRefused, AgentUnavailable, LaneLost
from gateway.events import (
    AgentEvent,
    AgentStatus,
    Answer,
    ApprovalAsked,
    Confirm,
    Delta,
    Deny,
    HistoryEntry,
    Replied,
    StatusChanged,
    TurnFailed,
    UserPosted,
)
from gateway.exchange import NotTaken
from gateway.history import Post, after_post
from gateway.listening import Asked

PROCESSING = StatusChanged(status=AgentStatus.PROCESSING)
IDLE = StatusChanged(status=AgentStatus.IDLE)
AWAITING = StatusChanged(status=AgentStatus.AWAITING_APPROVAL)
REPLY = Replied(message_id="m-1", text="On its way.")
OWN = Replied(message_id="m-5", text="Here it is.")
FAILED = TurnFailed(message_id="m-1", error="the model is away")
POSTED = UserPosted(message_id="u-1", text="Where is it?")
STOPPED = TurnFailed(message_id="m-9", error="interrupted", resumable=True)
OTHER = UserPosted(message_id="u-2", text="Something else")


def asked(name: str, *, is_open: bool = True) -> ApprovalAsked:
    return ApprovalAsked(
        message_id=name, tool_call_id="t", tool_id="t", tool_name="issue_refund", arguments={}, open=is_open
    )


@dataclass
class Line:
    """A session that answers as its script says. An exception in `comes` is the line being lost."""

    before: Sequence[HistoryEntry] = ()
    comes: Sequence[AgentEvent | Exception] = ()
    status: AgentStatus | None = None
    refuses: Exception | None = None
    did: list[tuple[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._inflow = self._arriving()

    async def post(self, text: str, *, client_message_id: str, files: Any = ()) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.did.append(("post", (text, client_message_id)))

    async def answer(self, request_message_id: str, answer: Answer) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.did.append(("answer", (request_message_id, answer)))

    async def history(self) -> Sequence[HistoryEntry]:
        return self.before

    def events(self) -> AsyncIterator[AgentEvent]:
        return self._inflow  # what was heard once is not heard again

    async def _arriving(self) -> AsyncIterator[AgentEvent]:
        for event in self.comes:
            if isinstance(event, Exception):
                raise event
            yield event

    async def look(self) -> None:
        self.did.append(("look", None))


def what(*, alike: int = 0, first_try: bool = True) -> Post:
    return Post(text=POSTED.text, key="turn-1", alike=alike, first_try=first_try)


async def posted(line: Line, *, alike: int = 0, first_try: bool = True) -> exchange.Outcome:
    return await exchange.post(line, what(alike=alike, first_try=first_try), line.look)


async def answered(line: Line, *answers: tuple[str, Answer]) -> exchange.Outcome:
    return await exchange.answer(line, answers or (("a-1", Confirm()),), what(), line.look)


POST = [("look", None), ("post", ("Where is it?", "turn-1"))]


# --- a post that is refused, for the session waits --------------------------------------------------------


@dataclass
class Waiting(Line):
    """Takes no post before its requests are answered, and does not say so beforehand."""

    async def post(self, text: str, *, client_message_id: str, files: Any = ()) -> None:
        if not any(name == "answer" for name, _ in self.did):
            raise AgentRefused("it waits for an approval")
        await super().post(text, client_message_id=client_message_id)


async def test_a_refused_post_denies_what_is_nobodys_and_is_made_once_more() -> None:
    line = Waiting([OTHER, asked("a-1"), asked("a-2")], [PROCESSING, REPLY, IDLE, PROCESSING, OWN, IDLE])

    assert await posted(line) == OWN
    denied = [("answer", (name, listening.NO_LONGER_KNOWN)) for name in ("a-1", "a-2")]
    assert [one for one in line.did if one[0] != "look"] == [*denied, POST[1]]
    assert line.did[-2:] == POST, "a look comes right before it"


async def test_a_refused_post_that_is_there_already_has_its_own_requests() -> None:
    line = Waiting([POSTED, asked("a-1")])

    assert await posted(line) == Asked((asked("a-1"),))
    assert line.did == [("look", None)]


async def test_a_refused_post_where_nothing_is_open_stays_refused() -> None:
    assert await posted(Waiting([OTHER, REPLY])) == NotTaken("it waits for an approval")


# --- the first try -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("comes", "outcome"),
    [
        ([PROCESSING, REPLY, IDLE], REPLY),
        ([REPLY], REPLY),
        ([PROCESSING, Delta(message_id="m-1", text="On"), Delta(message_id="m-1", text=" its"), REPLY], REPLY),
        ([PROCESSING, FAILED], FAILED),
        ([IDLE, PROCESSING, REPLY], REPLY),
        ([IDLE, IDLE, REPLY], REPLY),
        ([PROCESSING, asked("a-1"), AWAITING], Asked((asked("a-1"),))),
        ([PROCESSING, asked("a-1"), asked("a-2"), AWAITING], Asked((asked("a-1"), asked("a-2")))),
        ([PROCESSING, asked("a-1"), asked("a-1"), AWAITING], Asked((asked("a-1"),))),
        ([AWAITING, PROCESSING, asked("a-1"), AWAITING], Asked((asked("a-1"),))),
        ([PROCESSING, asked("a-1"), REPLY], REPLY),
    ],
)
async def test_a_turn_lasts_until_the_reply_the_failure_or_the_requests(
    comes: list[AgentEvent], outcome: exchange.Outcome
) -> None:
    line = Line(comes=comes)

    assert await posted(line) == outcome
    assert line.did == POST


@pytest.mark.parametrize("history", [[], [POSTED], [POSTED, REPLY]])
async def test_an_agent_that_goes_idle_without_a_word_may_have_said_it_in_the_history(
    history: list[HistoryEntry],
) -> None:
    line = Line(before=history, comes=[IDLE, PROCESSING, IDLE, IDLE, REPLY])

    assert await posted(line) == REPLY


@pytest.mark.parametrize("comes", [[], [PROCESSING], [PROCESSING, Delta(message_id="m", text="On")], [asked("a-1")]])
async def test_a_line_that_ends_too_early_is_tried_again(comes: list[AgentEvent]) -> None:
    with pytest.raises(AgentUnavailable):
        await posted(Line(comes=comes))


async def test_a_line_that_is_lost_says_so() -> None:
    with pytest.raises(AgentUnavailable, match="cut"):
        await posted(Line(comes=[PROCESSING, AgentUnavailable("cut")]))


async def test_a_post_that_the_platform_refuses_is_not_in_the_session() -> None:
    assert await posted(Line(refuses=AgentRefused("too long"))) == NotTaken("too long")


async def test_a_turn_that_somebody_gave_up_ends_before_the_next_is_posted() -> None:
    late = Replied(message_id="m-0", text="late")
    line = Line(before=[OTHER], comes=[PROCESSING, late, IDLE, PROCESSING, REPLY], status=AgentStatus.PROCESSING)

    assert await posted(line) == REPLY
    assert line.did == POST


async def test_requests_that_nobody_knows_any_more_are_answered_before_the_next_post() -> None:
    line = Line(
        before=[OTHER, asked("a-0", is_open=False), asked("a-1")],
        comes=[AWAITING, PROCESSING, FAILED, IDLE, PROCESSING, REPLY],
        status=AgentStatus.AWAITING_APPROVAL,
    )

    assert await posted(line) == REPLY
    (_, (request, answer)) = line.did[1]
    assert (request, type(answer)) == ("a-1", Deny)
    assert answer.reason.startswith("UNANSWERED:"), "no person said no"
    assert line.did[2:] == POST


@pytest.mark.parametrize("status", [None, AgentStatus.IDLE])
async def test_a_free_session_is_posted_to_at_once(status: AgentStatus | None) -> None:
    line = Line(before=[OTHER, asked("a-1")], comes=[PROCESSING, REPLY], status=status)

    assert await posted(line) == REPLY
    assert line.did == POST


async def test_who_lost_the_conversation_posts_nothing() -> None:
    line = Line(comes=[REPLY])

    async def lost() -> None:
        raise LaneLost

    with pytest.raises(LaneLost):
        await exchange.post(line, what(), lost)
    with pytest.raises(LaneLost):
        await exchange.answer(line, [("a-1", Confirm())], what(), lost)

    assert line.did == []


async def test_a_first_try_does_not_read_the_history() -> None:
    line = Line(before=[POSTED, REPLY], comes=[FAILED])

    assert await posted(line) == FAILED
    assert line.did == POST


# --- another try -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "alike"),
    [
        ([], 0),
        ([OTHER, REPLY], 0),
        ([POSTED, REPLY], 1),
        ([POSTED, REPLY, OTHER, REPLY, POSTED, REPLY], 2),
        ([UserPosted(message_id="u-3", text="where is it?")], 0),
    ],
)
async def test_what_the_session_never_got_is_posted(before: list[HistoryEntry], alike: int) -> None:
    line = Line(before=before, comes=[FAILED])

    assert await posted(line, alike=alike, first_try=False) == FAILED
    assert line.did == POST


@pytest.mark.parametrize(
    ("before", "alike", "outcome"),
    [
        ([POSTED, REPLY], 0, REPLY),
        ([POSTED, FAILED], 0, FAILED),
        ([OTHER, Replied(message_id="m-0", text="old"), POSTED, REPLY], 0, REPLY),
        ([POSTED, Replied(message_id="m-0", text="old"), POSTED, REPLY], 1, REPLY),
        ([POSTED, asked("a-1", is_open=False), REPLY], 0, REPLY),
        ([POSTED, REPLY, OTHER, FAILED], 0, REPLY),
    ],
)
async def test_a_reply_that_came_while_nobody_listened_is_in_the_history(
    before: list[HistoryEntry], alike: int, outcome: exchange.Outcome
) -> None:
    line = Line(before=before, status=AgentStatus.IDLE)

    assert await posted(line, alike=alike, first_try=False) == outcome
    assert line.did == []


@pytest.mark.parametrize("status", [*AgentStatus, None])
async def test_what_the_session_got_is_not_posted_again_but_listened_to(status: AgentStatus | None) -> None:
    line = Line(before=[POSTED], comes=[PROCESSING, REPLY], status=status)

    assert await posted(line, first_try=False) == REPLY
    assert line.did == []


async def test_a_session_that_is_idle_and_says_nothing_is_asked_later() -> None:
    line = Line(before=[POSTED], comes=[IDLE], status=AgentStatus.IDLE)

    with pytest.raises(AgentUnavailable):
        await posted(line, first_try=False)

    assert line.did == []


@pytest.mark.parametrize("status", [AgentStatus.AWAITING_APPROVAL, AgentStatus.IDLE, None])
async def test_requests_that_stand_open_in_the_history_end_the_turn(status: AgentStatus | None) -> None:
    line = Line(before=[POSTED, asked("a-0", is_open=False), asked("a-1"), asked("a-2")], status=status)

    assert await posted(line, first_try=False) == Asked((asked("a-1"), asked("a-2")))


async def test_while_the_agent_works_more_requests_may_come() -> None:
    line = Line(
        before=[POSTED, asked("a-1")], comes=[PROCESSING, asked("a-2"), AWAITING], status=AgentStatus.PROCESSING
    )

    assert await posted(line, first_try=False) == Asked((asked("a-1"), asked("a-2")))


async def test_an_older_turns_requests_are_not_this_turns() -> None:
    line = Line(before=[OTHER, asked("a-0"), POSTED], comes=[PROCESSING, REPLY], status=AgentStatus.PROCESSING)

    assert await posted(line, first_try=False) == REPLY


# --- the platform was stopped in the middle ----------------------------------------------------------------


def stops(times: int) -> list[HistoryEntry]:
    return [TurnFailed(message_id=f"m-9{n}", error="interrupted", resumable=True) for n in range(times)]


@pytest.mark.parametrize("before", [[], [OTHER, REPLY], [POSTED], [POSTED, STOPPED]])
async def test_a_platform_that_stops_in_the_middle_is_tried_again(before: list[HistoryEntry]) -> None:
    line = Line(before=before, comes=[PROCESSING, TurnFailed(message_id="m-2", error="interrupted", resumable=True)])

    with pytest.raises(AgentUnavailable, match="stopped in the middle"):
        await posted(line, first_try=False)


@pytest.mark.parametrize("status", [AgentStatus.IDLE, AgentStatus.PROCESSING, None])
@pytest.mark.parametrize("times", [1, exchange.MAX_STOPS - 1])
async def test_a_post_of_which_nothing_came_but_stops_is_posted_again(status: AgentStatus | None, times: int) -> None:
    line = Line(before=[OTHER, REPLY, POSTED, *stops(times)], comes=[PROCESSING, REPLY], status=status)

    assert await posted(line, first_try=False) == REPLY
    assert line.did == POST


async def test_a_stop_that_is_known_from_the_history_is_not_heard_once_more() -> None:
    line = Line(before=[POSTED, STOPPED], comes=[STOPPED, IDLE, PROCESSING, REPLY], status=AgentStatus.PROCESSING)

    assert await posted(line, first_try=False) == REPLY


@pytest.mark.parametrize("came", [REPLY, FAILED, Asked((asked("a-1"),))])
async def test_what_came_after_a_stop_counts(came: exchange.Outcome) -> None:
    after = came.requests if isinstance(came, Asked) else (came,)
    line = Line(before=[POSTED, STOPPED, *after])

    assert await posted(line, first_try=False) == came
    assert line.did == []


async def test_a_post_that_stops_the_platform_every_time_has_failed() -> None:
    line = Line(before=[POSTED, *stops(exchange.MAX_STOPS)])

    outcome = await posted(line, first_try=False)

    assert isinstance(outcome, TurnFailed)
    assert not outcome.resumable
    assert line.did == []


async def test_a_stop_after_a_request_is_a_failure() -> None:
    line = Line(before=[POSTED, asked("a-1", is_open=False), STOPPED])

    for outcome in (await posted(line, first_try=False), await answered(line)):
        assert outcome == TurnFailed(message_id="m-9", error="interrupted")
    assert line.did == []


async def test_a_second_post_that_is_refused_has_failed_and_is_in_the_session() -> None:
    line = Line(before=[POSTED, STOPPED], refuses=AgentRefused("too long"))

    assert await posted(line, first_try=False) == TurnFailed(message_id="m-9", error="too long")


async def test_who_lost_the_conversation_posts_nothing_again() -> None:
    line = Line(before=[POSTED, STOPPED])

    async def lost() -> None:
        raise LaneLost

    with pytest.raises(LaneLost):
        await exchange.post(line, what(first_try=False), lost)
    assert line.did == []


# --- what is shown of a reply that grows --------------------------------------------------------------------

WORDS = (Delta(message_id="m-1", text="On its"), Delta(message_id="m-1", text=" way"))


async def shown(line: Line, what: Post) -> list[str]:
    """The pieces that may be shown."""
    pieces: list[str] = []
    assert await exchange.post(line, what, line.look, hear=lambda delta: pieces.append(delta.text)) == REPLY
    return pieces


@pytest.mark.parametrize("before", [(), (POSTED, STOPPED)])
async def test_a_reply_that_is_heard_from_its_beginning_may_be_shown(before: Sequence[HistoryEntry]) -> None:
    line = Line(before=before, comes=[PROCESSING, *WORDS, REPLY])

    assert await shown(line, what(first_try=not before)) == ["On its", " way"]


@pytest.mark.parametrize("before", [(POSTED,), (POSTED, STOPPED)])
async def test_a_reply_that_may_have_begun_before_we_listened_is_not_shown(before: Sequence[HistoryEntry]) -> None:
    line = Line(before=before, comes=[*WORDS, REPLY], status=AgentStatus.PROCESSING)

    assert await shown(line, what(first_try=False)) == []


async def test_what_a_turn_that_was_given_up_still_says_is_not_shown() -> None:
    late = Delta(message_id="m-0", text="an old story")
    line = Line(comes=[late, PROCESSING, *WORDS, REPLY])

    assert await shown(line, replace(what(), abandoned=True)) == ["On its", " way"]


# --- answering ---------------------------------------------------------------------------------------------


async def test_every_request_is_answered_after_a_look() -> None:
    line = Line(before=[POSTED], comes=[PROCESSING, REPLY])
    answers: list[tuple[str, Answer]] = [("a-1", Confirm(arguments={"amount": 40})), ("a-2", Deny(reason="no"))]

    assert await answered(line, *answers) == REPLY
    assert line.did == [("look", None), ("answer", answers[0]), ("look", None), ("answer", answers[1])]


async def test_the_requests_just_answered_do_not_end_the_turn_again() -> None:
    line = Line(before=[POSTED, asked("a-1")], comes=[asked("a-1"), AWAITING, PROCESSING, REPLY])

    assert await answered(line) == REPLY


async def test_a_new_request_after_the_answer_ends_the_turn() -> None:
    line = Line(before=[POSTED, asked("a-1")], comes=[asked("a-1"), PROCESSING, asked("a-2"), AWAITING])

    assert await answered(line) == Asked((asked("a-2"),))


async def test_a_turn_that_parked_again_since_the_answer_shows_the_new_requests() -> None:
    line = Line(before=[POSTED, asked("a-1", is_open=False), asked("a-2")])

    assert await answered(line) == Asked((asked("a-2"),))
    assert line.did == []


@pytest.mark.parametrize("outcome", [REPLY, FAILED])
async def test_an_answer_given_before_a_crash_finds_its_reply_in_the_history(outcome: Replied | TurnFailed) -> None:
    line = Line(before=[POSTED, asked("a-1", is_open=False), outcome])

    assert await answered(line) == outcome


async def test_a_request_that_came_when_the_post_ran_again_is_answered() -> None:
    line = Line(before=[POSTED, STOPPED, asked("a-1")], comes=[PROCESSING, REPLY])

    assert await answered(line) == REPLY
    assert line.did == [("look", None), ("answer", ("a-1", Confirm()))]


async def test_a_reply_to_an_older_post_is_not_this_turns() -> None:
    line = Line(before=[OTHER, Replied(message_id="m-0", text="old"), POSTED], comes=[PROCESSING, REPLY])

    assert await answered(line) == REPLY


async def test_without_an_answer_what_became_of_the_turn_is_heard() -> None:
    async def of(*since: HistoryEntry, status: AgentStatus, comes: Sequence[AgentEvent] = ()) -> exchange.Outcome:
        return await exchange.answer(Line([POSTED, *since], comes, status), (), what(), Line().look)

    closed = asked("a-1", is_open=False)
    assert await of(closed, REPLY, status=AgentStatus.IDLE) == REPLY
    assert await of(closed, status=AgentStatus.PROCESSING, comes=[REPLY]) == REPLY
    assert await of(closed, asked("a-2"), status=AgentStatus.AWAITING_APPROVAL) == Asked((asked("a-2"),))
    assert isinstance(await of(status=AgentStatus.IDLE), TurnFailed)


async def test_an_answer_the_platform_does_not_take_is_heard() -> None:
    with pytest.raises(AgentRefused):
        await answered(Line(refuses=AgentRefused("unknown request")))


async def test_a_line_lost_after_the_answer_is_tried_again() -> None:
    with pytest.raises(AgentUnavailable):
        await answered(Line(before=[POSTED], comes=[PROCESSING]))


# --- what followed a post ----------------------------------------------------------------------------------

entries = st.sampled_from([POSTED, OTHER, REPLY, FAILED, STOPPED, asked("a-1")])


@settings(deadline=None)
@given(before=st.lists(entries, max_size=8), after=st.lists(entries.filter(lambda one: one != POSTED), max_size=6))
def test_the_count_tells_which_of_the_same_words_is_ours(before: list[HistoryEntry], after: list[HistoryEntry]) -> None:
    alike = before.count(POSTED)

    assert after_post(before, what(alike=alike)) is None
    since = after_post([*before, POSTED, *after], what(alike=alike))
    assert since is not None
    assert list(since) == after[: after.index(OTHER)] if OTHER in after else list(since) == after


@settings(deadline=None)
@given(history=st.lists(entries, max_size=10), alike=st.integers(0, 3))
def test_what_followed_a_post_holds_no_other_post(history: list[HistoryEntry], alike: int) -> None:
    since = after_post(history, what(alike=alike))

    assert (since is None) is (history.count(POSTED) <= alike)
    assert not any(isinstance(entry, UserPosted) for entry in since or ())
