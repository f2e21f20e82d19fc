"""Twilio's variables."""

import re

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator


class SmsSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    account_sid: str = Field(pattern=r"^AC\w+$")
    auth_token: SecretStr
    shared_key: SecretStr = SecretStr("")
    sender: str = Field(alias="from", min_length=1)
    api_url: str = ""
    rate: float | None = Field(default=None, gt=0, le=1000)  #: texts a second
    most_segments: int = Field(default=10, ge=3)  #: of one reply; beyond, its beginning and a link are sent
    help: str = ""  #: to HELP, in place of our own words; `off`: Twilio answers it, and we say nothing
    whatsapp: str = ""  #: our number on WhatsApp, where it is not the one of `sender`
    whatsapp_template: str = ""  #: shows a request with buttons there: a Content SID

    @field_validator("sender")
    @classmethod
    def is_a_sender(cls, sender: str) -> str:
        if not re.fullmatch(r"\+[1-9][0-9]{6,14}|[0-9]{3,8}|MG\w+|(?=.*[A-Za-z])[\w .&-]{1,11}", sender, re.ASCII):
            raise ValueError(
                "it is no sender: set it to our number with its country, such as +15550001111, a short code, or MG..."
            )
        return sender

    @field_validator("whatsapp")
    @classmethod
    def is_a_number(cls, number: str) -> str:
        if number and not re.fullmatch(r"\+[1-9][0-9]{6,14}", number):
            raise ValueError(
                "it is no number: set it to the WhatsApp sender's, such as +15550001111, without `whatsapp:`"
            )
        return number

    @field_validator("whatsapp_template")
    @classmethod
    def is_a_template(cls, sid: str) -> str:
        if sid and not re.fullmatch(r"HX[0-9a-fA-F]{32}", sid):
            raise ValueError("it is no template: set it to its Content SID, HX and 32 digits; see docs/deploying.md")
        return sid

    @field_validator("auth_token")
    @classmethod
    def has_one(cls, tokens: SecretStr) -> SecretStr:
        if not listed(tokens):
            raise ValueError("it holds no token: set it to the account's auth token, or to several, newest first")
        return tokens

    @field_validator("shared_key")
    @classmethod
    def has_one_if_set(cls, keys: SecretStr) -> SecretStr:
        if keys.get_secret_value() and not listed(keys):
            raise ValueError("it holds no key: set it to the secret of a shared key, or to several, newest first")
        return keys

    def sender_to(self, address: str) -> str:
        """Our end towards an address, where its thread names none."""
        alone = self.sender.startswith("MG") and not self.whatsapp  # a messaging service picks its own
        on_whatsapp = address.startswith("whatsapp:") and not alone
        return f"whatsapp:{self.whatsapp or self.sender}" if on_whatsapp else self.sender

    @property
    def tokens(self) -> list[str]:
        """Newest first; more than one during a rotation."""
        return listed(self.auth_token)

    @property
    def shared_keys(self) -> list[str]:
        """Newest first; none where Twilio signs with the auth token alone."""
        return listed(self.shared_key)


def listed(secrets: SecretStr) -> list[str]:
    return [one.strip() for one in secrets.get_secret_value().split(",") if one.strip()]
