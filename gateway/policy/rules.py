"""The words of one approval rule, and what it says of one call. Pure."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from gateway.policy import conditions, hours
from gateway.policy.people import GROUP, REQUESTER, can_decide, known_form
from gateway.policy.words import Duration, Words, shown_somewhere

LONGEST_WAIT = timedelta(days=7)
Surface = Literal["slack", "sms", "email", "api"]
Says = Literal["ask", "approve", "deny"]
CHANGEABLE = ("ask", "approvers", "required", "reason", "edit", "destructive", "surfaces", "expires_after")


class Terms(Words):
    """Where a gated tool's request is shown, who may decide it, and how. What a rule comes to for one call."""

    ask: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()
    required: int = Field(default=1, ge=1, le=20)
    self_approval: bool = False
    expires_after: Duration = timedelta(hours=24)
    on_unanswered: Literal["deny", "hold", "handoff"] = "deny"
    remind_after: tuple[Duration, ...] = Field(default=(), max_length=10)
    escalate_after: Duration | None = None
    escalate_to: tuple[str, ...] = ()
    edit: Literal["allow", "forbid"] = "allow"
    reason: Literal["optional", "required"] = "optional"
    destructive: bool = False
    surfaces: tuple[Surface, ...] = ("slack", "sms", "email", "api")
    max_amount_slack: float | None = Field(default=None, ge=0)
    max_amount_sms: float | None = Field(default=None, ge=0)
    max_amount_email: float | None = Field(default=None, ge=0)
    max_amount_api: float | None = Field(default=None, ge=0)
    redact: tuple[str, ...] = ()
    quiet_hours: str = ""
    approve_unseen: bool = False

    @field_validator("expires_after")
    @classmethod
    def not_too_long(cls, time: timedelta) -> timedelta:
        if time > LONGEST_WAIT:
            raise ValueError("at most 7d: the agent's own patience with an open request ends after 8 days")
        return time

    @field_validator("ask")
    @classmethod
    def can_be_shown(cls, places: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(one if one == REQUESTER else shown_somewhere(one) for one in places)

    @field_validator("escalate_to")
    @classmethod
    def can_be_reached(cls, places: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(shown_somewhere(one) for one in places)

    @field_validator("approvers")
    @classmethod
    def known_forms(cls, approvers: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(known_form(one) for one in approvers)

    @field_validator("quiet_hours")
    @classmethod
    def are_hours(cls, text: str) -> str:
        hours.read(text)
        return text

    @model_validator(mode="after")
    def in_order(self) -> "Terms":
        for time, word in (
            (self.escalate_after, "escalate_after"),
            *((one, "remind_after") for one in self.remind_after),
        ):
            if time is not None and time >= self.expires_after:
                raise ValueError(f"`{word}` comes after the request has ended; `expires_after` must be longer")
        if self.escalate_after is not None and not self.escalate_to:
            raise ValueError("`escalate_after` needs `escalate_to`: to whom?")
        if self.required > 1 and self.approvers == (REQUESTER,):
            raise ValueError("the requester never counts towards `required` > 1, so nobody could approve")
        return self

    def cap(self, surface: str) -> float | None:
        """The most an `amount` may be to be approved there; None: no cap."""
        found: float | None = getattr(self, f"max_amount_{surface}", None)
        return found

    def within_cap(self, surface: str, arguments: Mapping[str, Any] | None) -> bool:
        """May a call of this amount be approved there? Under a cap, what is no number may not."""
        cap, amount = self.cap(surface), (arguments or {}).get("amount")
        return cap is None or (isinstance(amount, int | float) and not isinstance(amount, bool) and abs(amount) <= cap)


class When(Words):
    """For calls whose arguments meet `if`: other words, or no question at all."""

    condition: str = Field(alias="if")
    decision: Says = "ask"
    ask: tuple[str, ...] | None = None
    approvers: tuple[str, ...] | None = None
    required: int | None = None
    reason: Literal["optional", "required"] | None = None
    edit: Literal["allow", "forbid"] | None = None
    destructive: bool | None = None
    surfaces: tuple[Surface, ...] | None = None
    expires_after: Duration | None = None

    @field_validator("condition")
    @classmethod
    def readable(cls, text: str) -> str:
        conditions.check(text)
        return text

    @field_validator("approvers")
    @classmethod
    def approvers_can_decide(cls, approvers: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return approvers and tuple(can_decide(known_form(one)) for one in approvers)

    def changes(self) -> dict[str, Any]:
        return {word: value for word in CHANGEABLE if (value := getattr(self, word)) is not None}


class Rule(Terms):
    """One table: its terms, and the conditions under which they are others. The first that holds is taken."""

    when: tuple[When, ...] = ()

    @field_validator("approvers")
    @classmethod
    def approvers_can_decide(cls, approvers: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(can_decide, approvers))

    @model_validator(mode="after")
    def conditions_make_sense(self) -> "Rule":
        for one in self.when:
            if one.decision != "ask" and one.changes():
                raise ValueError(f'`if = "{one.condition}"` decides by itself: it needs no other words')
            self._with(one)
        return self

    def of(self, arguments: Mapping[str, Any] | None) -> "Ruling":
        """What the rule says of a call. A condition that cannot be evaluated counts as "ask", and eases nothing."""
        for number, one in enumerate(self.when):
            holds, what = conditions.met(one.condition, arguments), {"by": one.condition, "place": number}
            if holds:
                return Ruling(says=one.decision, terms=self._with(one), **what)
            if holds is None:
                says, terms = self._in_doubt(number, arguments)
                return Ruling(says=says, terms=terms, sure=False, **what)
        return Ruling(terms=self._terms())

    def _in_doubt(self, first: int, arguments: Mapping[str, Any] | None) -> tuple[Says, Terms]:
        """From a condition on that cannot be evaluated: what any of them asks for holds, and none eases it."""
        terms = self._terms()
        for one in self.when[first:]:
            holds = conditions.met(one.condition, arguments)
            if holds is False:
                continue
            terms = _both(terms, self._with(one))
            if holds:  # whatever comes after it is not meant
                return "deny" if one.decision == "deny" else "ask", terms
        return "ask", terms

    def all_terms(self) -> tuple[Terms, ...]:
        """What it may come to, whatever the arguments."""
        return (self._terms(), *(self._with(one) for one in self.when))

    def _terms(self) -> Terms:
        return Terms.model_validate({name: getattr(self, name) for name in Terms.model_fields})

    def _with(self, one: When) -> Terms:
        return Terms.model_validate({**{name: getattr(self, name) for name in Terms.model_fields}, **one.changes()})


class Ruling(Words):
    """What the policy says of one call: ask on these terms, or a decision of its own. `by`: the condition that held."""

    says: Says = "ask"
    terms: Terms
    by: str = ""
    place: int | None = None
    sure: bool = True  # False: the condition could not be evaluated


def stricter(then: Terms, now: Terms) -> Terms:
    """Of two texts of one policy: today's approvers, and of everything else the stricter word."""
    caps = {
        name: _least(getattr(then, name), getattr(now, name)) for name in Terms.model_fields if "max_amount" in name
    }
    return now.model_copy(
        update={
            **caps,
            "required": max(then.required, now.required),
            "self_approval": then.self_approval and now.self_approval,
            "edit": "forbid" if "forbid" in (then.edit, now.edit) else "allow",
            "reason": "required" if "required" in (then.reason, now.reason) else "optional",
            "destructive": then.destructive or now.destructive,
            "surfaces": tuple(one for one in now.surfaces if one in then.surfaces),
            "redact": tuple(dict.fromkeys((*then.redact, *now.redact))),
            "approve_unseen": then.approve_unseen and now.approve_unseen,
        }
    )


def _both(one: Terms, other: Terms) -> Terms:
    """Nobody knows which of the two is meant: asked where either says, decided by who is named by both."""
    terms = stricter(one, other)
    approvers = tuple(name for name in one.approvers if name in other.approvers)
    enough = len(approvers) >= terms.required or any(name.startswith(GROUP) for name in approvers)
    return terms.model_copy(
        update={
            "ask": tuple(dict.fromkeys((*one.ask, *other.ask))),
            "approvers": approvers if enough else (),
            "expires_after": min(one.expires_after, other.expires_after),
        }
    )


def _least(one: float | None, other: float | None) -> float | None:
    found = [cap for cap in (one, other) if cap is not None]
    return min(found) if found else None
