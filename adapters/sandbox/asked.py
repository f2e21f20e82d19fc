"""What the page may ask the sandbox to do, as the JSON of its API. Words only."""

from pydantic import Base64Bytes, BaseModel, Field

from adapters.sandbox import cast
from adapters.sandbox.twilio_faults import Kind


class InTeam(BaseModel):
    """What somebody does in one of the workspaces."""

    team: str = cast.TEAM


class Clicking(InTeam):
    user: str
    channel: str
    ts: str
    action_id: str


class Pressing(InTeam):
    user: str
    view_id: str
    action_id: str
    block_id: str = ""


class Submitting(InTeam):
    user: str
    view_id: str
    values: dict[str, str] = {}


class Dismissing(InTeam):
    user: str
    view_id: str


class Uploading(BaseModel):
    """`data` is base64."""

    name: str
    data: Base64Bytes
    mime_type: str = "text/plain"


class Texting(BaseModel):
    number: str
    body: str = ""
    files: list[Uploading] = Field(default=[], max_length=10)


class Tapping(BaseModel):
    """A button below the message `sid` on WhatsApp, by the words on it."""

    number: str
    sid: str
    title: str


class Writing(InTeam):
    user: str
    channel: str
    text: str
    thread_ts: str | None = None
    files: list[Uploading] = []


class Editing(InTeam):
    user: str
    channel: str
    ts: str
    text: str


class Deleting(InTeam):
    user: str
    channel: str
    ts: str


class OpeningHome(InTeam):
    user: str


class Uninstalling(BaseModel):
    team: str


class Resetting(BaseModel):
    pass


class Faulting(BaseModel):
    """The next calls of Slack's Web API go wrong: see `faults.Fault`. `expired_trigger_id` is about `views.*`."""

    method: str = "*"
    error: str = ""
    status: int = Field(default=0, ge=0, le=599)
    retry_after_s: int = Field(default=0, ge=0, le=3600)
    hangs_s: float = Field(default=0, ge=0, le=120)
    does_it: bool = False
    times: int = Field(default=1, ge=1, le=1000)


class ForgettingFaults(BaseModel):
    pass


class TextFaulting(BaseModel):
    """The next calls of Twilio's API or the next texts go wrong: see `twilio_faults.TextFault`."""

    kind: Kind
    call: str = "messages.create"
    code: int = Field(default=0, ge=0, le=99999)
    status: int = Field(default=0, ge=0, le=599)
    seconds: float = Field(default=20, ge=0, le=120)
    times: int = Field(default=1, ge=1, le=1000)


class StoppingStream(BaseModel):
    channel: str
    ts: str
