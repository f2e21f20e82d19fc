"""Slack's variables."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError


class SlackSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    app_token: SecretStr | None = Field(default=None, min_length=1)  #: Socket Mode
    signing_secret: SecretStr | None = Field(default=None, min_length=1, validate_default=True)
    bot_token: SecretStr = Field(min_length=1)
    api_url: str = "https://slack.com/api/"

    @field_validator("app_token")
    @classmethod
    def is_an_apps(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and not token.get_secret_value().startswith("xapp-"):
            raise ValueError("it is no app-level token: set it to the one that begins with xapp-")
        return token

    @field_validator("signing_secret")
    @classmethod
    def has_one(cls, secrets: SecretStr | None, others: ValidationInfo) -> SecretStr | None:
        """Without it nothing is taken by HTTP, so that without an app token either nothing would come in."""
        if secrets is None and others.data.get("app_token") is None:
            raise PydanticCustomError("missing", "it is needed unless Slack is reached by Socket Mode")
        if secrets is not None and not secrets.get_secret_value().replace(",", " ").strip():
            raise ValueError("it holds no secret: set it to the app's signing secret, or to several, newest first")
        return secrets

    @property
    def signing_secrets(self) -> list[str]:
        """Newest first. Empty: Slack calls nothing here, all comes by Socket Mode."""
        written = self.signing_secret.get_secret_value() if self.signing_secret else ""
        return [one.strip() for one in written.split(",") if one.strip()]
