"""The manifest that makes our app: it asks for what the code uses, and points at the address people set."""

import json
from pathlib import Path

import pytest

from adapters.slack import checks
from adapters.slack.manifest import manifest
from tests.helpers.cli import asks

HERE = "https://gatehouse.example"


def test_slack_is_told_our_address_for_events_and_for_buttons() -> None:
    settings = manifest(f"{HERE}/")["settings"]

    assert settings["event_subscriptions"]["request_url"] == f"{HERE}/slack/events"
    assert settings["interactivity"] == {"is_enabled": True, "request_url": f"{HERE}/slack/events"}


def test_the_app_asks_for_every_scope_that_doctor_looks_for() -> None:
    assert set(checks.NEEDED) <= set(manifest(HERE)["oauth_config"]["scopes"]["bot"])


def test_people_can_write_to_the_app() -> None:
    home = manifest(HERE)["features"]["app_home"]

    assert (home["messages_tab_enabled"], home["messages_tab_read_only_enabled"]) == (True, False)


def test_with_many_workspaces_slack_knows_where_to_lead_back_and_tells_who_left() -> None:
    one, many = manifest(HERE), manifest(HERE, many=True)

    assert "redirect_urls" not in one["oauth_config"]
    assert many["oauth_config"]["redirect_urls"] == [f"{HERE}/slack/oauth_redirect"]
    assert {"app_uninstalled", "tokens_revoked"} <= set(many["settings"]["event_subscriptions"]["bot_events"])
    assert not many["settings"]["token_rotation_enabled"]


@pytest.mark.parametrize("given", [{"PUBLIC_URL": HERE}, {}])
def test_the_command_prints_it_for_the_address_there_is(given: dict[str, str], tmp_path: Path) -> None:
    words = () if given else ("--url", HERE)

    done = asks(tmp_path, "slack", "manifest", "--name", "Help Desk", *words, **given)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == manifest(HERE, "Help Desk")


def test_by_socket_mode_slack_is_told_no_address(tmp_path: Path) -> None:
    done = asks(tmp_path, "slack", "manifest", "--socket-mode", PUBLIC_URL=HERE)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["settings"]["socket_mode_enabled"] is True
    assert "url" not in done.stdout
    assert manifest(HERE)["settings"]["socket_mode_enabled"] is False


@pytest.mark.parametrize("wrong", ["", "http://gatehouse.example", "gatehouse.example", "https://", "https://x/?a=1"])
def test_without_an_address_slack_can_call_it_says_which(wrong: str, tmp_path: Path) -> None:
    done = asks(tmp_path, "slack", "manifest", PUBLIC_URL=wrong)

    assert done.returncode == 2
    assert "https://gatehouse.example" in done.stderr


def test_a_name_that_slack_does_not_take_is_refused(tmp_path: Path) -> None:
    done = asks(tmp_path, "slack", "manifest", "--url", HERE, "--name", "x" * 36)

    assert done.returncode == 2
    assert "1 to 35 characters" in done.stderr
