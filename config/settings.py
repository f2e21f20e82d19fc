"""The environment, read once. What is missing or wrong stops the start with one line naming the variable."""

import os
import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from adapters.agent.client import AgentSettings
from adapters.agent.server.limits import Limits
from adapters.agent.server.model_settings import ModelSettings
from adapters.slack.settings import SlackSettings
from adapters.sms.settings import SmsSettings
from gateway.errors import ConfigError
from gateway.store import database_url

SHORTEST_KEY = 16  # characters
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AgentVariables(_Group):
    url: str = ""
    api_key: SecretStr | None = None
    ws_url: str = ""

    @field_validator("url", "ws_url")
    @classmethod
    def is_an_address(cls, url: str) -> str:
        if url and not re.match(r"(https?|wss?)://[^/]", url):
            raise ValueError("it is no address: set it to one such as http://127.0.0.1:8765/v1")
        return url


class AgentServerVariables(Limits):
    database_url: str = "sqlite:///var/agent.db"


class OpsVariables(_Group):
    token: SecretStr | None = None

    @field_validator("token")
    @classmethod
    def long_enough(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and len(token) < SHORTEST_KEY:
            raise ValueError(f"it is too short: set it to a random text of at least {SHORTEST_KEY} characters")
        return token


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_nested_delimiter="__", env_ignore_empty=True, extra="ignore")

    database_url: str = "sqlite:///var/gateway.db"
    database_direct_url: str = ""
    database_pool: int = Field(default=5, ge=2)
    secret_key: SecretStr | None = None
    public_url: str = ""
    port: int = Field(default=8000, ge=0, le=65535)
    bind: str = ""
    gateway_config: Path = Path("config/gateway.toml")
    log_level: str = "INFO"
    log_format: str = "plain"
    turn_slots: int = Field(default=50, ge=1)
    agent: AgentVariables = AgentVariables()
    agent_server: AgentServerVariables = AgentServerVariables()
    model: ModelSettings = ModelSettings()
    ops: OpsVariables = OpsVariables()
    slack: SlackSettings | None = None
    sms: SmsSettings | None = None

    @field_validator("log_level")
    @classmethod
    def known_level(cls, level: str) -> str:
        if level.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise ValueError("set it to DEBUG, INFO, WARNING or ERROR")
        return level.upper()

    @field_validator("log_format")
    @classmethod
    def known_format(cls, form: str) -> str:
        if form.lower() not in ("plain", "json"):
            raise ValueError("set it to plain or json")
        return form.lower()

    @property
    def engine_pool(self) -> int:
        """Of the connections that carry jobs."""
        return -(-self.database_pool // 3)

    @property
    def agent_server_pool(self) -> int:
        """Of the embedded agent server's, when it shares the database."""
        return -(-self.database_pool // 2)

    @property
    def has_channel(self) -> bool:
        """A real one; without any, `gateway run` brings the sandbox."""
        return self.slack is not None or self.sms is not None

    @property
    def is_called(self) -> bool:
        """A carrier calls us, or somebody who installs the app; by Socket Mode alone it is we who call."""
        slack = self.slack
        return self.sms is not None or (slack is not None and (bool(slack.signing_secrets) or slack.many))

    @property
    def embedded_database_url(self) -> str:
        """Of the embedded agent server: beside ours, unless it is named."""
        named = "database_url" in self.agent_server.model_fields_set
        beside = not named and not self.database_url.startswith("sqlite")
        return self.database_url if beside else self.agent_server.database_url

    def agent_platform(self) -> AgentSettings | None:
        """Where the agent platform is. None: the embedded one."""
        if not self.agent.url:
            return None
        return AgentSettings(url=self.agent.url, api_key=self.agent.api_key, ws_url=self.agent.ws_url or None)


def read() -> Settings:
    """The settings of this process's environment. Raises `ConfigError`."""
    for name, value in os.environ.items():
        if name.upper().startswith("EMAIL__") and value:
            raise ConfigError(f"{name}: email is not built yet: unset it")
    try:
        settings = Settings()
    except ValidationError as error:
        raise ConfigError(_explain(error)) from error
    except SettingsError as error:
        group = re.search(r'field "(\w+)"', str(error))
        raise ConfigError(_no_variable(group[1].upper() if group else "a variable")) from error
    if settings.has_channel:
        if settings.is_called or settings.public_url:
            _check_public(settings.public_url)
        _check_secret(settings.secret_key)
    return _on_a_dyno(settings) if os.environ.get("DYNO") else settings


def in_folder(folder: Path) -> Settings:
    """The defaults with all state in a folder and a free port, whatever the environment says."""
    agent_server = AgentServerVariables(database_url=f"sqlite:///{folder}/agent.db")
    return Settings.model_construct(database_url=f"sqlite:///{folder}/gateway.db", port=0, agent_server=agent_server)


def _explain(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    variable = "__".join(str(part) for part in first["loc"]).upper()
    if first["type"] == "missing":
        group = variable.partition("__")[0]
        return f"{variable} is not set: set it, or unset the other {group}__ variables to leave {group} off"
    if first["type"] == "extra_forbidden":
        return f"{variable} is not a setting: see docs/settings.md for the names there are"
    if first["type"] == "model_type":
        return _no_variable(variable)
    said = str(first["msg"]).removeprefix("Value error, ")
    return said if said.startswith(f"{variable}__") else f"{variable}: {said}"


def _no_variable(group: str) -> str:
    return f"{group} is not a variable but the beginning of several: unset it, and set {group}__... (docs/settings.md)"


def _on_a_dyno(settings: Settings) -> Settings:
    """Heroku's disk is thrown away with the dyno, and its PostgreSQL speaks TLS alone."""
    url = database_url(settings.database_url)
    if url.get_backend_name() == "sqlite":
        raise ConfigError(
            "DATABASE_URL is SQLite, and a dyno's disk is thrown away: add Heroku Postgres, which sets DATABASE_URL"
        )
    addresses = {name: _encrypted(getattr(settings, name)) for name in ("database_url", "database_direct_url")}
    return settings.model_copy(update=addresses)


def _encrypted(address: str) -> str:
    if not address or "sslmode" in (url := database_url(address)).query:
        return address
    return url.update_query_dict({"sslmode": "require"}).render_as_string(hide_password=False)


def _check_secret(key: SecretStr | None) -> None:
    keys = [one.strip() for one in key.get_secret_value().split(",")] if key else []
    if not keys or min(len(one) for one in keys) < SHORTEST_KEY:
        raise ConfigError(
            f"SECRET_KEY is {'too short' if keys else 'not set'}: set it to a long random text, such as that of "
            '`python3 -c "import secrets; print(secrets.token_urlsafe(32))"`'
        )


def _check_public(url: str) -> None:
    if not url:
        raise ConfigError(
            "PUBLIC_URL is not set: set it to the https address at which Slack and Twilio reach this gateway"
        )
    if not url.startswith("https://") and not is_loopback(url):
        raise ConfigError("PUBLIC_URL must begin with https:// (http:// is for 127.0.0.1 alone)")


def is_loopback(url: str) -> bool:
    host = url.removeprefix("http://").split("/")[0]
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return url.startswith("http://") and name in LOOPBACK
