"""A request's life as a state machine: no path decides twice, leaves a surface unchanged or loses an answer."""

import asyncio
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from config import schema
from gateway.events import Verdict
from tests.helpers.databases import scratch
from tests.helpers.lives import CUSTOMERS, FAULTS, PEOPLE, PLACES, Life

Fresh = Callable[[], AbstractContextManager[str]]
TIMES = st.sampled_from([timedelta(seconds=5), timedelta(minutes=31), timedelta(hours=1), timedelta(hours=13)])
SHORT, LONG = {"max_examples": 2, "stateful_step_count": 6}, {"max_examples": 20, "stateful_step_count": 20}


@pytest.fixture(params=["sqlite", "postgres"])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Fresh:
    """A migrated database for each life."""
    if request.param == "postgres":
        server, template = request.getfixturevalue("postgres"), request.getfixturevalue("template")
        return lambda: scratch(server, template=template)
    empty = tmp_path / "empty"
    empty.mkdir()
    schema.migrate(f"sqlite:///{empty}/gateway.db")

    @contextmanager
    def copied() -> Iterator[str]:
        folder = shutil.copytree(empty, tmp_path / uuid.uuid4().hex)
        yield f"sqlite:///{folder}/gateway.db"
        shutil.rmtree(folder)

    return copied


class Lives(RuleBasedStateMachine):
    fresh: Fresh

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self._runner = asyncio.Runner()
        self._life: Life
        self._asked = False

    def _run(self, doing: Any) -> None:
        self._runner.run(doing)

    @initialize(on_unanswered=st.sampled_from(["deny", "hold", "handoff"]))
    def begins(self, on_unanswered: str) -> None:
        self._life = Life(self._stack.enter_context(self.fresh()), on_unanswered)
        self._stack.callback(self._runner.close)
        self._stack.callback(lambda: self._run(self._life.ends()))
        self._run(self._life.begins())
        self._run(self._life.a_customer_asks(CUSTOMERS[0]))
        self._run(self._life.it_works())

    @precondition(lambda self: not self._asked)
    @rule()
    def another_customer_asks(self) -> None:
        self._asked = True
        self._run(self._life.a_customer_asks(CUSTOMERS[1]))

    @rule(
        name=st.sampled_from(PEOPLE),
        via=st.sampled_from(["slack", "api", "sms"]),
        verdict=st.sampled_from([Verdict.APPROVE, Verdict.APPROVE, Verdict.APPROVE, Verdict.DENY]),
        which=st.integers(0, 1),
        seen=st.sampled_from([True, True, True, False]),
        twice=st.booleans(),
    )
    def somebody_decides(self, **how: Any) -> None:
        self._run(self._life.somebody_decides(**how))

    @rule(which=st.integers(0, 1))
    def enough_people_approve(self, which: int) -> None:
        for name in ("ana", "ben"):
            self._run(self._life.somebody_decides(name, "slack", Verdict.APPROVE, which, seen=True, twice=False))

    @rule(name=st.sampled_from(PEOPLE), which=st.integers(0, 1), amount=st.sampled_from([40, 35, 35.5]))
    def somebody_edits(self, **how: Any) -> None:
        self._run(self._life.somebody_edits(**how))

    @rule(time=TIMES)
    def time_passes(self, time: timedelta) -> None:
        self._run(self._life.time_passes(time))

    @rule(place=st.sampled_from(sorted(FAULTS)), which=st.integers(0, 1))
    def it_fails_at(self, place: str, which: int) -> None:
        self._life.it_fails_at(place, which)

    @rule()
    def it_works(self) -> None:
        self._run(self._life.it_works())

    @rule(place=st.sampled_from(PLACES), dies=st.booleans())
    def it_is_left_at(self, place: str, dies: bool) -> None:
        self._run(self._life.it_is_left_at(place, dies=dies))

    @invariant()
    def what_must_hold_holds(self) -> None:
        if hasattr(self, "_life"):
            self._run(self._life.check())

    def teardown(self) -> None:
        with self._stack:
            if hasattr(self, "_life"):
                self._run(self._life.check_the_end())


def lived(fresh: Fresh, **profile: Any) -> None:
    machine = type("LivesHere", (Lives,), {"fresh": staticmethod(fresh)})
    how = settings(deadline=None, suppress_health_check=list(HealthCheck), print_blob=True, **profile)
    run_state_machine_as_test(machine, settings=how)


async def test_a_plain_life_ends_well(fresh: Fresh) -> None:
    with fresh() as url:
        life = Life(url, "hold")
        await life.begins()
        try:
            await life.a_customer_asks(CUSTOMERS[0])
            await life.it_works()
            await life.somebody_edits("ana", 0, 35.5)
            for name in ("ana", "ana", "max", "ben"):
                await life.somebody_decides(name, "slack", Verdict.APPROVE, 0, seen=True, twice=True)
                await life.check()
            await life.it_is_left_at("answered", dies=True)
            await life.check_the_end()
        finally:
            await life.ends()


def test_a_few_lives_end_well(fresh: Fresh) -> None:
    lived(fresh, derandomize=True, **SHORT)


@pytest.mark.long
@pytest.mark.timeout(1_200)
def test_many_lives_end_well(fresh: Fresh) -> None:
    lived(fresh, **LONG)
