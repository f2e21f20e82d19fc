"""Every error the gateway raises on purpose, cut by what the caller should do next.

GatewayError
├── Refused              answer the platform 4xx; nothing is kept
│   ├── NotProven        401  no, wrong or stale proof
│   ├── Foreign          403  proven, but not for us
│   ├── Unreadable       400  not a body we can read
│   └── TooLarge         413
├── TryLater             the same call may succeed later; has .retry_after (seconds or None)
│   ├── AgentUnavailable the agent platform did not answer
│   │   └── LineLost     it did, and then the line to it was lost: dial again, and read what happened meanwhile
│   ├── FileUnavailable  a file that came with a message cannot be fetched at the moment
│   ├── Misconfigured    our account at the carrier is not as it must be: operations are told, and it is tried again
│   ├── KeyRefused       the carrier does not take our credentials: the same
│   └── DatabaseAway     the database did not answer in time: the platform is told 503
├── GiveUp               the same call will never succeed
│   ├── WillNeverArrive  the carrier will not deliver this message: tell operations
│   │   └── OptedOut     nor any other to them: they want no messages from us
│   ├── FileTooLarge     a file has more bytes than were asked for
│   ├── AgentRefused     the platform said no for good (bad key, unknown agent)
│   └── SessionGone      the platform no longer knows the session
├── Capped               a limit of the policy is reached: tell the sender once, unless .quiet, and go on
├── Uncertain            the carrier may or may not have taken the message: look it up before one more try
├── Unknowable           the carrier cannot tell whether it took the message
├── LaneLost             somebody else owns the conversation now: stop at once, write nothing
└── ConfigError          the start stops with this one line: what is wrong, where, what to do
"""


class GatewayError(Exception):
    """Base of all errors here; its text is one sentence for a log or a person."""


class Refused(GatewayError):
    status = 400


class NotProven(Refused):
    status = 401


class Foreign(Refused):
    status = 403


class Unreadable(Refused):
    status = 400


class TooLarge(Refused):
    status = 413


class TryLater(GatewayError):
    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class AgentUnavailable(TryLater):
    pass


class LineLost(AgentUnavailable):
    pass


class FileUnavailable(TryLater):
    pass


class Misconfigured(TryLater):
    pass


class KeyRefused(TryLater):
    pass


class DatabaseAway(TryLater):
    pass


class GiveUp(GatewayError):
    pass


class WillNeverArrive(GiveUp):
    pass


class OptedOut(WillNeverArrive):
    pass


class FileTooLarge(GiveUp):
    pass


class AgentRefused(GiveUp):
    pass


class SessionGone(GiveUp):
    pass


class Capped(GatewayError):
    def __init__(self, message: str, *, quiet: bool = False) -> None:
        """`quiet`: one more message to say so is what the limit is against."""
        super().__init__(message)
        self.quiet = quiet


class Uncertain(GatewayError):
    pass


class Unknowable(GatewayError):
    pass


class LaneLost(GatewayError):
    pass


class ConfigError(GatewayError):
    pass
