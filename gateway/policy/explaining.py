"""Which rule a call meets, and what follows from it: the policy read aloud for one tool and its arguments. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gateway.policy import conditions
from gateway.policy.file import Policy
from gateway.policy.rules import Rule, Ruling, Says, Terms

Found = Literal["holds", "does not hold", "cannot be evaluated", "not looked at"]
FOUND: dict[bool | None, Found] = {True: "holds", False: "does not hold", None: "cannot be evaluated"}
SURFACES = ("slack", "sms", "email", "api")


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """One condition of the table. The first that holds is the last that is looked at."""

    condition: str
    says: Says
    found: Found


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """May it be approved there? `why_not` is empty when it may."""

    surface: str
    cap: float | None
    why_not: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """`table` is empty when no rule is written for the tool. `terms` are in the words of the file."""

    tool: str
    arguments: dict[str, Any]
    version: str
    table: str
    conditions: tuple[Looked, ...]
    says: Says
    approvers: tuple[str, ...]
    once_escalated: tuple[str, ...]
    where: tuple[Where, ...]
    nobody: str  #: why nobody could approve it
    terms: dict[str, Any]


def explain(policy: Policy, tool: str, arguments: dict[str, Any]) -> Explanation:
    rule, ruling = policy.rule_for(tool), policy.ruling(tool, arguments)
    terms = ruling.terms
    return Explanation(
        tool=tool,
        arguments=arguments,
        version=policy.version,
        table=_table(policy, tool),
        conditions=_looked(rule, arguments),
        says=ruling.says,
        approvers=policy.may_decide(terms, escalated=False),
        once_escalated=policy.may_decide(terms, escalated=True),
        where=tuple(_where(terms, surface, arguments) for surface in SURFACES),
        nobody=_nobody(ruling),
        terms=terms.model_dump(mode="json"),
    )


def _table(policy: Policy, tool: str) -> str:
    if tool in policy.approvals.tools:
        return f"approvals.tools.{tool}"
    return "" if policy.approvals.default is None else "approvals.default"


def _looked(rule: Rule, arguments: Mapping[str, Any]) -> tuple[Looked, ...]:
    looked: list[Looked] = []
    for one in rule.when:
        over = any(before.found == "holds" for before in looked)
        found = "not looked at" if over else FOUND[conditions.met(one.condition, arguments)]
        looked.append(Looked(condition=one.condition, says=one.decision, found=found))
    return tuple(looked)


def _where(terms: Terms, surface: str, arguments: Mapping[str, Any]) -> Where:
    cap, why_not = terms.cap(surface), ""
    if surface not in terms.surfaces:
        why_not = "it is not among the surfaces"
    elif not terms.within_cap(surface, arguments):
        why_not = f"the amount is not known to be at most {cap:g}"
    return Where(surface=surface, cap=cap, why_not=why_not)


def _nobody(ruling: Ruling) -> str:
    if ruling.says != "ask":
        return ""
    missing = [word for word in ("ask", "approvers") if not getattr(ruling.terms, word)]
    return (
        f"{' and '.join(f'`{word}`' for word in missing)} {'are' if len(missing) > 1 else 'is'} empty"
        if missing
        else ""
    )
