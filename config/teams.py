"""With many Slack workspaces a bare id may be anybody's: gateway.toml must say of which workspace it is."""

from collections.abc import Iterator

from gateway.errors import ConfigError
from gateway.policy import Policy


def check(policy: Policy, name: str) -> None:
    """Raises `ConfigError` for the first Slack address without a workspace."""
    for word, written in _written(policy):
        address = written.removeprefix("slack:").removeprefix("group:")
        if "/" not in address:
            better = written.removesuffix(address) + f"T0TEAM/{address}"
            raise ConfigError(
                f'{name}: {word}: "{written}" may be of any workspace, and there are many: '
                f'write it with its own, as "{better}"'
            )


def _written(policy: Policy) -> Iterator[tuple[str, str]]:
    for name, person in policy.people.items():
        if person.slack:
            yield f"people.{name}.slack", person.slack
    places = [("operations.alerts", policy.operations.alerts)]
    for table, rule in (("default", policy.approvals.default), *policy.approvals.tools.items()):
        for terms in () if rule is None else rule.all_terms():
            named = ("ask", terms.ask), ("approvers", terms.approvers), ("escalate_to", terms.escalate_to)
            places += [(f"approvals.{table}.{word}", those) for word, those in named]
    for word, those in places:
        for one in those:
            if one.startswith("slack:") and one.removeprefix("slack:") not in policy.people:
                yield word, one
