"""Twilio's variables."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator


class SmsSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    account_sid: str = Field(pattern=r"^AC\w+$")
    auth_token: SecretStr
    sender: str = Field(alias="from", min_length=1)
    api_url: str = ""

    @field_validator("auth_token")
    @classmethod
    def has_one(cls, tokens: SecretStr) -> SecretStr:
        if not tokens.get_secret_value().replace(",", " ").strip():
            raise ValueError("it holds no token: set it to the account's auth token, or to several, newest first")
        return tokens

    @property
    def tokens(self) -> list[str]:
        """Newest first; more than one during a rotation."""
        return [token.strip() for token in self.auth_token.get_secret_value().split(",") if token.strip()]
