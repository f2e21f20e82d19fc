"""What can go wrong in the sandbox, besides what its stand-ins answer on purpose."""

from gateway.errors import GatewayError, TryLater


class NotInSandbox(GatewayError):
    """There is no such person, channel, message, button or view here."""


class NotAllowedByClient(GatewayError):
    """The platform's own app would not let a person do this: a required field is empty, a text too long."""


class GatewayAway(TryLater):
    """The gateway did not answer at all."""


class SlackSaysNo(Exception):
    """An `"ok": false` answer; `messages` is what Slack adds for the developer."""

    def __init__(self, error: str, *messages: str) -> None:
        super().__init__(error)
        self.error = error
        self.messages = messages
