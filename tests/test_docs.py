"""What the documents say of names is so."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from adapters.agent.server.model_settings import ModelSettings
from adapters.slack.settings import SlackSettings
from adapters.sms.settings import SmsSettings
from config.cli import app
from config.settings import AgentServerVariables, AgentVariables, OpsVariables, Settings
from gateway import policy

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
GROUPS: dict[str, type[BaseModel]] = {
    "agent": AgentVariables,
    "agent_server": AgentServerVariables,
    "model": ModelSettings,
    "ops": OpsVariables,
    "slack": SlackSettings,
    "sms": SmsSettings,
}


def variables() -> list[str]:
    names = []
    for name in Settings.model_fields:
        if name in GROUPS:
            names += [f"{name}__{field.alias or word}" for word, field in GROUPS[name].model_fields.items()]
        else:
            names.append(name)
    return [name.upper() for name in names]


@pytest.mark.parametrize("name", variables())
def test_every_variable_is_documented(name: str) -> None:
    assert f"| `{name}` |" in (ROOT / "docs/settings.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        assert target.startswith("http") or (page.parent / target).exists(), target


def test_every_command_of_the_readme_exists() -> None:
    named = set(re.findall(r"`gateway ([a-z]+)", (ROOT / "README.md").read_text()))
    known = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    known |= {group.name for group in app.registered_groups if group.name}

    assert named <= known


def test_the_examples_of_the_policy_page_can_be_read() -> None:
    examples = re.findall(r"```toml\n(.*?)```", (ROOT / "docs/policy.md").read_text(), re.DOTALL)
    whole = examples[-1]

    assert policy.read(whole).routes
    assert policy.read((ROOT / "config/gateway.toml").read_text()).routes
