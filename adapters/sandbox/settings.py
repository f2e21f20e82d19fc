"""What the sandbox must know to play Slack and Twilio for one gateway. It never reads the environment."""

from pathlib import Path

from pydantic import BaseModel

from adapters.sandbox import cast
from adapters.sandbox.cast import WHATSAPP


class SandboxSettings(BaseModel):
    """Mutable on purpose: with port 0 the addresses are known only once the server listens."""

    gateway_url: str = "http://127.0.0.1:8000"  #: where signed requests are sent
    public_url: str = "http://127.0.0.1:8000"  #: the address the gateway believes it has: Twilio signs this one
    sandbox_url: str = ""  #: where the sandbox itself is reached; empty: at the gateway
    state_path: Path = Path("var/sandbox.db")
    slack_signing_secret: str
    slack_bot_token: str = ""  #: of the first workspace; empty: there is none before the app is installed by OAuth
    slack_client_id: str = ""  #: set: the app is installed by OAuth, in either workspace
    slack_client_secret: str = ""
    slack_app_token: str = ""  #: then everything in Slack goes over a socket that the gateway opens
    socket_patience_s: float = 3.0  #: for an envelope to be acknowledged, before it is sent again
    sms_account_sid: str
    sms_auth_token: str
    sms_from: str = cast.OUR_NUMBER  #: a number, a short code, or a messaging service (`MG...`)

    @property
    def our_number(self) -> str:
        return cast.OUR_NUMBER if self.sms_from.startswith("MG") else self.sms_from

    def our_end(self, address: str) -> str:
        """Our number on the service that an address of somebody's is of."""
        return WHATSAPP + self.our_number if address.startswith(WHATSAPP) else self.our_number

    @property
    def base(self) -> str:
        return (self.sandbox_url or self.gateway_url).rstrip("/")
