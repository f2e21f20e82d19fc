"""Slack's variables."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

OFF = "or unset the other SLACK__ variables to leave SLACK off"


class SlackSettings(BaseModel):
    """One workspace, by the token of its bot; or many, by OAuth, with the app's client id and secret."""

    model_config = ConfigDict(extra="forbid")

    app_token: SecretStr | None = Field(default=None, min_length=1)  #: Socket Mode
    signing_secret: SecretStr | None = Field(default=None, min_length=1, validate_default=True)
    bot_token: SecretStr | None = Field(default=None, min_length=1)
    client_id: str = ""
    client_secret: SecretStr | None = Field(default=None, min_length=1)
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

    @model_validator(mode="after")
    def one_or_many(self) -> "SlackSettings":
        by_oauth = {"SLACK__CLIENT_ID": self.client_id, "SLACK__CLIENT_SECRET": self.client_secret}
        there, missing = (
            [name for name, set in by_oauth.items() if set],
            [name for name in by_oauth if not by_oauth[name]],
        )
        if self.bot_token is not None and there:
            raise ValueError(
                f"{there[0]} is set beside SLACK__BOT_TOKEN: unset it for one workspace, or unset "
                "SLACK__BOT_TOKEN to be installed in many by OAuth"
            )
        if there and missing:
            raise ValueError(f"{missing[0]} is not set: set it beside {there[0]}, {OFF}")
        if self.bot_token is None and missing:
            raise ValueError(
                f"SLACK__BOT_TOKEN is not set: set it (for many workspaces set SLACK__CLIENT_ID and "
                f"SLACK__CLIENT_SECRET), {OFF}"
            )
        return self

    @property
    def many(self) -> bool:
        """Installed in any number of workspaces by OAuth."""
        return self.bot_token is None

    @property
    def signing_secrets(self) -> list[str]:
        """Newest first. Empty: Slack calls nothing here, all comes by Socket Mode."""
        written = self.signing_secret.get_secret_value() if self.signing_secret else ""
        return [one.strip() for one in written.split(",") if one.strip()]
