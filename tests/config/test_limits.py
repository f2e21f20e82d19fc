"""The limits of the embedded agent server, set by whoever runs it."""

from pathlib import Path

import pytest

from adapters.agent.server.limits import Limits
from config import settings
from gateway.errors import ConfigError

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"


@pytest.mark.parametrize("name", Limits.model_fields)
def test_each_limit_is_a_variable_with_its_default_in_the_docs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    default = Limits.model_fields[name].default
    (row,) = [line for line in DOCS.read_text().splitlines() if f"| `AGENT_SERVER__{name.upper()}` |" in line]
    monkeypatch.setenv(f"AGENT_SERVER__{name.upper()}", str(default + 1))

    assert getattr(settings.read().agent_server, name) == default + 1
    assert f"| `{default}` |" in row


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("REQUESTS_PER_SECOND", "often", "valid number"),
        ("REQUESTS_PER_SECOND", "inf", "finite"),
        ("REQUESTS_AT_ONCE", "0", "greater than or equal to 1"),
        ("MAX_FRAME_BYTES", "100000000", "less than or equal to 50331648"),
        ("MAX_PAGE_BYTES", "3MiB", "valid integer"),
        ("HISTORY_TURNS", "0", "greater than or equal to 1"),
        ("RUN_TIMEOUT", "0", "greater than 0"),
        ("TOOL_TIMEOUT", "nan", "finite"),
    ],
)
def test_a_limit_that_cannot_be_is_refused_by_its_name(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"AGENT_SERVER__{name}", value)

    with pytest.raises(ConfigError) as refused:
        settings.read()

    assert str(refused.value).startswith(f"AGENT_SERVER__{name}: ")
    assert said in str(refused.value)


def test_a_limit_leaves_the_database_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_SERVER__HISTORY_TURNS", "7")

    assert "database_url" not in settings.read().agent_server.model_fields_set
