"""Slack's variables."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator


class SlackSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    signing_secret: SecretStr = Field(min_length=1)
    bot_token: SecretStr = Field(min_length=1)
    api_url: str = "https://slack.com/api/"

    @field_validator("signing_secret")
    @classmethod
    def has_one(cls, secrets: SecretStr) -> SecretStr:
        if not secrets.get_secret_value().replace(",", " ").strip():
            raise ValueError("it holds no secret: set it to the app's signing secret, or to several, newest first")
        return secrets

    @property
    def signing_secrets(self) -> list[str]:
        return [one.strip() for one in self.signing_secret.get_secret_value().split(",") if one.strip()]
