"""The endpoint of models that this server has a key for. Knows no provider's package but whether it is there."""

import importlib.util
import re

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from adapters.agent.server.definitions import OFFLINE

OPENAI, ANTHROPIC = "openai", "anthropic"
PROVIDERS = (OPENAI, ANTHROPIC)


class ModelSettings(BaseModel):
    """Also the default of agents that name no provider. Either all of it is offline, or key and name are there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    provider: str = OFFLINE
    api_key: SecretStr | None = Field(default=None, validate_default=True)
    base_url: str = ""  # empty: the provider's own
    name: str = Field(default="", validate_default=True)
    connect_timeout: float = Field(default=5, gt=0)
    timeout: float = Field(default=60, gt=0)  # seconds until the first token, and between any two
    longest_answer: float = Field(default=600, gt=0)  # seconds; an endpoint may give signs of life and never end

    @field_validator("provider")
    @classmethod
    def can_be_used(cls, provider: str) -> str:
        if provider == OFFLINE:
            return provider
        if provider not in PROVIDERS:
            raise ValueError(f"set it to one of {', '.join((OFFLINE, *PROVIDERS))}")
        if not is_installed(provider):
            raise ValueError(how_to_install(provider))
        return provider

    @field_validator("api_key")
    @classmethod
    def is_a_key(cls, key: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        # A line break in it would raise deep in the HTTP client, with the key in the error.
        if key is not None and not re.fullmatch(r"[!-~]+", key.get_secret_value()):
            raise ValueError("it is empty, or holds a space or another character that no key has")
        _belongs(key is not None, info, "an endpoint that asks for none takes any word")
        return key

    @field_validator("base_url")
    @classmethod
    def is_an_address(cls, url: str, info: ValidationInfo) -> str:
        if url and not is_base_url(url):
            raise ValueError("it is no address: set it to one such as https://models.example/v1")
        if url:
            _belongs(True, info)
        return url

    @field_validator("name")
    @classmethod
    def is_named(cls, name: str, info: ValidationInfo) -> str:
        _belongs(bool(name), info, "the model's name as the provider writes it")
        return name


def _belongs(is_set: bool, info: ValidationInfo, what: str = "") -> None:
    provider = info.data.get("provider")  # None: it was refused already
    if provider == OFFLINE and is_set:
        raise ValueError(f"MODEL__PROVIDER is not set: set it to {' or '.join(PROVIDERS)}, or unset this")
    if provider in PROVIDERS and not is_set:
        raise ValueError(f"it is not set, and MODEL__PROVIDER is {provider}: set it ({what}), or unset MODEL__PROVIDER")


def is_base_url(url: str) -> bool:
    """Without user, password, query or fragment."""
    return re.fullmatch(r"https?://[^/\s@?#]+(/[^\s@?#]*)?", url) is not None


def is_installed(provider: str) -> bool:
    return importlib.util.find_spec(provider) is not None  # finding a package does not import it


def how_to_install(provider: str) -> str:
    if provider == OPENAI:
        return "the package openai is not installed: run pip install -r requirements.txt"
    return f'the extra {provider!r} is not installed: run pip install ".[{provider}]" in the project\'s folder'
