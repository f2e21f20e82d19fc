"""The environment: what is missing or wrong is one line that names the variable and what to do."""

import os
from pathlib import Path

import pytest

from config import settings
from config.settings import Settings, is_loopback
from gateway.errors import ConfigError

SLACK = {"SLACK__SIGNING_SECRET": "s3cret", "SLACK__BOT_TOKEN": "xoxb-s3cret"}
OAUTH = {"SLACK__CLIENT_ID": "1.2", "SLACK__CLIENT_SECRET": "s3cret"}
SMS = {"SMS__ACCOUNT_SID": "AC123", "SMS__AUTH_TOKEN": "s3cret", "SMS__FROM": "+15005550199"}
PUBLIC = {"PUBLIC_URL": "https://gateway.example", "SECRET_KEY": "s3cret-and-long-enough-for-anybody"}
WHOLE = SLACK | SMS | PUBLIC
GROUPS = ("SLACK", "SMS", "AGENT", "AGENT_SERVER", "MODEL", "OPS")


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment in which nothing of ours is set."""
    ours = {name.upper() for name in Settings.model_fields}
    for name in list(os.environ):
        if name.upper() in (*ours, "DYNO") or name.upper().startswith(tuple(f"{group}__" for group in GROUPS)):
            monkeypatch.delenv(name)


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> "Environment":
    return Environment(monkeypatch)


class Environment:
    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch

    def read(self, variables: dict[str, str]) -> Settings:
        for name, value in variables.items():
            self._patch.setenv(name, value)
        return settings.read()

    def refused(self, variables: dict[str, str]) -> str:
        with pytest.raises(ConfigError) as caught:
            self.read(variables)
        said = str(caught.value)
        assert "\n" not in said
        assert "s3cret" not in said
        return said


def test_nothing_set_is_a_laptop_with_a_sandbox(env: Environment) -> None:
    read = env.read({})

    assert read.database_url == "sqlite:///var/gateway.db"
    assert (read.port, read.bind, read.log_level) == (8000, "", "INFO")
    assert read.gateway_config == Path("config/gateway.toml")
    assert not read.has_channel
    assert read.agent_platform() is None


def test_every_channel_is_on_when_its_variables_are_set(env: Environment) -> None:
    read = env.read(WHOLE)

    assert read.has_channel
    assert read.slack is not None
    assert read.slack.signing_secrets == ["s3cret"]
    assert read.slack.api_url == "https://slack.com/api/"
    assert read.sms is not None
    assert (read.sms.account_sid, read.sms.tokens, read.sms.sender) == ("AC123", ["s3cret"], "+15005550199")


@pytest.mark.parametrize(
    ("written", "meant"),
    [("one", ["one"]), ("new,old", ["new", "old"]), (" new , old ", ["new", "old"]), ("new,,old,", ["new", "old"])],
)
def test_a_secret_may_be_a_list_newest_first(written: str, meant: list[str], env: Environment) -> None:
    read = env.read(WHOLE | {"SLACK__SIGNING_SECRET": written, "SMS__AUTH_TOKEN": written})

    assert read.slack is not None
    assert read.sms is not None
    assert read.slack.signing_secrets == read.sms.tokens == meant


@pytest.mark.parametrize("name", ["SLACK__SIGNING_SECRET", "SMS__AUTH_TOKEN"])
def test_a_list_of_nothing_is_refused(name: str, env: Environment) -> None:
    said = env.refused(WHOLE | {name: " , "})

    assert said.startswith(f"{name}: ")
    assert "set it to" in said


@pytest.mark.parametrize("missing", [*SLACK, *SMS])
def test_half_a_channel_is_an_error(missing: str, env: Environment) -> None:
    said = env.refused({name: value for name, value in WHOLE.items() if name != missing})

    group = missing.split("__")[0]
    assert said.startswith(f"{missing} is not set: set it")
    assert said.endswith(f", or unset the other {group}__ variables to leave {group} off")


def test_by_socket_mode_alone_nobody_calls_us(env: Environment) -> None:
    read = env.read({"SLACK__APP_TOKEN": "xapp-1", "SLACK__BOT_TOKEN": "xoxb-1", "SECRET_KEY": PUBLIC["SECRET_KEY"]})

    assert read.slack is not None
    assert (read.slack.signing_secrets, read.is_called, read.public_url) == ([], False, "")


@pytest.mark.parametrize("more", [SMS, SLACK])
def test_whoever_is_called_still_says_where(more: dict[str, str], env: Environment) -> None:
    socket = {"SLACK__APP_TOKEN": "xapp-1", "SLACK__BOT_TOKEN": "xoxb-1", "SECRET_KEY": PUBLIC["SECRET_KEY"]}

    assert env.refused(socket | more).startswith("PUBLIC_URL is not set: ")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"SLACK__APP_TOKEN": "xapp-s3cret"}, "SLACK__BOT_TOKEN is not set: "),
        ({"SLACK__APP_TOKEN": "xoxb-s3cret", "SLACK__BOT_TOKEN": "xoxb-s3cret"}, "SLACK__APP_TOKEN: "),
    ],
)
def test_half_of_socket_mode_is_an_error(given: dict[str, str], said: str, env: Environment) -> None:
    assert env.refused(given | PUBLIC).startswith(said)


@pytest.mark.parametrize("missing", [*SLACK, *SMS])
def test_an_empty_variable_is_an_unset_one(missing: str, env: Environment) -> None:
    assert env.refused(WHOLE | {missing: ""}).startswith(f"{missing} is not set: ")


def test_a_channel_of_empty_variables_is_off(env: Environment) -> None:
    read = env.read(dict.fromkeys([*SLACK, *SMS, "PUBLIC_URL", "PORT", "DATABASE_URL", "LOG_LEVEL"], ""))

    assert not read.has_channel
    assert (read.port, read.database_url, read.log_level) == (8000, "sqlite:///var/gateway.db", "INFO")


def test_slack_is_one_workspace_or_many(env: Environment) -> None:
    read = env.read(WHOLE | OAUTH | {"SLACK__BOT_TOKEN": ""})

    assert read.slack is not None
    assert read.slack.many


@pytest.mark.parametrize("missing", OAUTH)
def test_half_of_oauth_is_an_error(missing: str, env: Environment) -> None:
    assert env.refused(WHOLE | OAUTH | {"SLACK__BOT_TOKEN": "", missing: ""}).startswith(f"{missing} is not set: ")


@pytest.mark.parametrize("name", OAUTH)
def test_a_bot_token_beside_oauth_is_an_error(name: str, env: Environment) -> None:
    assert env.refused(WHOLE | {name: "s3cret"}).startswith(f"{name} is set beside SLACK__BOT_TOKEN: unset it ")


def test_what_is_not_built_yet_is_refused_by_its_name(env: Environment) -> None:
    said = env.refused(WHOLE | {"EMAIL__ADDRESS": "s3cret"})

    assert said.startswith("EMAIL__ADDRESS")
    assert "not built yet" in said
    assert "s3cret" not in said


@pytest.mark.parametrize(
    "name",
    ["SLACK__BOT_TOKN", "SMS__NUMBER", "SMS__SENDER", "AGENT__KEY", "AGENT_SERVER__PORT"],
)
def test_a_name_there_is_not_is_refused(name: str, env: Environment) -> None:
    said = env.refused(WHOLE | {name: "s3cret"})

    assert said.startswith(f"{name} is not a setting")
    assert "docs/settings.md" in said


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("value", ["on", "{", "[]", "s3cret"])
def test_a_group_is_not_a_variable(group: str, value: str, env: Environment) -> None:
    said = env.refused({group: value})

    assert said.startswith(group)
    assert f"{group}__" in said


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PORT", "abc", "integer"),
        ("PORT", "70000", "65535"),
        ("PORT", "-1", "greater than or equal to 0"),
        ("TURN_SLOTS", "0", "greater than or equal to 1"),
        ("LOG_LEVEL", "loud", "set it to DEBUG, INFO, WARNING or ERROR"),
        ("MODEL__PROVIDER", "gpt", "set it to one of offline, openai, anthropic"),
        ("MODEL__API_KEY", "s3cret", "MODEL__PROVIDER is not set"),
        ("MODEL__NAME", "gpt-4o", "MODEL__PROVIDER is not set"),
        ("MODEL__BASE_URL", "http://127.0.0.1:11434/v1", "MODEL__PROVIDER is not set"),
        ("MODEL__BASE_URL", "models.example", "it is no address"),
        ("MODEL__TIMEOUT", "0", "greater than 0"),
        ("SMS__ACCOUNT_SID", "SK123", "^AC"),
        ("SMS__FROM", "5005550199", "it is no sender: set it to our number with its country"),
        ("SMS__FROM", "+1 500 555 0199", "it is no sender"),
        ("SMS__MOST_SEGMENTS", "2", "greater than or equal to 3"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_the_variables_name(
    name: str, value: str, said: str, env: Environment
) -> None:
    told = env.refused(WHOLE | {name: value})

    assert told.startswith(f"{name}: ")
    assert said in told


@pytest.mark.parametrize(("written", "level"), [("debug", "DEBUG"), ("Warning", "WARNING")])
def test_a_log_level_may_be_written_small(written: str, level: str, env: Environment) -> None:
    assert env.read({"LOG_LEVEL": written}).log_level == level


# --- the model ---------------------------------------------------------------------------------------------

MODEL = {"MODEL__PROVIDER": "openai", "MODEL__API_KEY": "s3cret", "MODEL__NAME": "kite-1"}


def test_no_model_is_the_offline_one(env: Environment) -> None:
    assert env.read({}).model.provider == "offline"


def test_a_model_is_set_up_by_three_variables(env: Environment) -> None:
    model = env.read(MODEL).model

    assert (model.provider, model.name, model.base_url, model.timeout) == ("openai", "kite-1", "", 60)
    assert model.api_key is not None
    assert model.api_key.get_secret_value() == "s3cret"


@pytest.mark.parametrize("missing", ["MODEL__API_KEY", "MODEL__NAME"])
def test_half_a_model_is_an_error(missing: str, env: Environment) -> None:
    said = env.refused({name: value for name, value in MODEL.items() if name != missing})

    assert said.startswith(f"{missing}: it is not set, and MODEL__PROVIDER is openai")


@pytest.mark.parametrize("key", ["s3cret s3cret", "s3cret\n", " s3cret", "s3cr\u00e9t"])
def test_a_key_that_cannot_be_one_is_refused_and_not_shown(key: str, env: Environment) -> None:
    said = env.refused(MODEL | {"MODEL__API_KEY": key})

    assert said.startswith("MODEL__API_KEY: it is empty, or holds a space")
    assert key not in said


@pytest.mark.parametrize(
    "url",
    ["models.example", "ftp://models.example", "https://", "https://ana:s3cret@models.example/v1", "https://a b/v1"],
)
def test_an_endpoint_that_is_no_address_is_refused(url: str, env: Environment) -> None:
    assert env.refused(MODEL | {"MODEL__BASE_URL": url}).startswith("MODEL__BASE_URL: it is no address")


# --- the public address ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://gateway.example",
        "https://gateway.example/",
        "https://gateway.example:8443",
        "http://127.0.0.1:8000",
        "http://localhost:8000",
        "http://localhost",
        "http://[::1]:8000",
    ],
)
def test_people_see_an_https_address_or_one_on_this_machine(url: str, env: Environment) -> None:
    assert env.read(WHOLE | {"PUBLIC_URL": url}).public_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://gateway.example",
        "gateway.example",
        "ftp://gateway.example",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://127.0.0.2",
        "http://10.0.0.7:8000",
        "//gateway.example",
    ],
)
def test_another_public_address_is_refused(url: str, env: Environment) -> None:
    said = env.refused(WHOLE | {"PUBLIC_URL": url})

    assert said.startswith("PUBLIC_URL must begin with https://")


@pytest.mark.parametrize("channel", [SLACK, SMS])
def test_a_real_channel_needs_a_public_address(channel: dict[str, str], env: Environment) -> None:
    said = env.refused(channel)

    assert said.startswith("PUBLIC_URL is not set: set it to the https address")


def test_without_a_channel_no_public_address_is_needed(env: Environment) -> None:
    assert env.read({"AGENT__URL": "http://127.0.0.1:8765/v1"}).public_url == ""


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1", True),
        ("http://127.0.0.1:1/x", True),
        ("http://[::1]", True),
        ("https://127.0.0.1", False),
        ("http://[::2]:80", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine(url: str, here: bool) -> None:
    assert is_loopback(url) is here


# --- the agent platform ------------------------------------------------------------------------------------


def test_the_agent_platform_is_elsewhere_when_its_address_is_set(env: Environment) -> None:
    platform = env.read({"AGENT__URL": "https://agents.example/v1", "AGENT__API_KEY": "s3cret"}).agent_platform()

    assert platform is not None
    assert platform.url == "https://agents.example/v1"
    assert "s3cret" not in repr(platform)


def test_secrets_are_not_shown(env: Environment) -> None:
    assert "s3cret" not in repr(env.read(WHOLE | {"AGENT__API_KEY": "s3cret"}))


def test_a_gateway_in_a_folder_ignores_the_environment(env: Environment, tmp_path: Path) -> None:
    env.read(WHOLE)

    made = settings.in_folder(tmp_path)

    assert made.database_url == f"sqlite:///{tmp_path}/gateway.db"
    assert made.port == 0
    assert not made.has_channel


@pytest.mark.parametrize(
    ("key", "said"), [("", "not set"), ("short", "too short"), ("long-enough-for-a-key,short", "too short")]
)
def test_a_real_channel_needs_a_secret_key(env: Environment, key: str, said: str) -> None:
    refused = env.refused(SMS | PUBLIC | {"SECRET_KEY": key})

    assert refused.startswith(f"SECRET_KEY is {said}: set it to a long random text")


def test_a_sandbox_needs_no_secret_key(env: Environment) -> None:
    assert env.read({}).secret_key is None


def test_sqlite_on_a_dyno_is_refused(env: Environment) -> None:
    assert env.refused(WHOLE | {"DYNO": "web.1"}).startswith("DATABASE_URL is SQLite, and a dyno's disk is thrown away")


def test_a_dynos_database_is_reached_encrypted(env: Environment) -> None:
    address = "postgres://me:s3cret@db.example:5432/name"

    assert env.read(WHOLE | {"DATABASE_URL": address}).database_url == address
    assert env.read({"DYNO": "web.1"}).database_url.endswith("@db.example:5432/name?sslmode=require")
    assert env.read({"DATABASE_URL": address + "?sslmode=verify-full"}).database_url.endswith("?sslmode=verify-full")


@pytest.mark.parametrize(("pool", "carrying_jobs", "agents"), [(2, 1, 1), (5, 2, 3), (20, 7, 10)])
def test_one_number_sizes_every_pool(env: Environment, pool: int, carrying_jobs: int, agents: int) -> None:
    read = env.read({"DATABASE_POOL": str(pool)})

    assert (read.database_pool, read.engine_pool, read.agent_server_pool) == (pool, carrying_jobs, agents)
