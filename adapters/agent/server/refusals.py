"""Why the REST door of the embedded server says no: the status is the error's own, the text is for the client."""

from gateway.errors import Refused


class NotFound(Refused):
    """Unknown, or somebody else's: the two look the same."""

    status = 404


class Conflict(Refused):
    status = 409


class NotJson(Refused):
    status = 415


class Wrong(Refused):
    """Readable, but not what it should be; the text names the word that is wrong."""

    status = 422


class Full(Refused):
    """As many as one may have; the text says how to have another."""

    status = 429


class TooMany(Refused):
    status = 429

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
