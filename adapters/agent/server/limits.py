"""How much the embedded server takes, gives and keeps. Each is an `AGENT_SERVER__` variable: docs/settings.md."""

from pydantic import BaseModel, ConfigDict, Field

KIB, MIB = 1024, 1024 * 1024


class Limits(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    # REST
    requests_per_second: float = Field(default=50, ge=0, allow_inf_nan=False)  # with one key, on average; 0: no limit
    requests_at_once: int = Field(default=200, ge=1)
    max_request_bytes: int = Field(default=16 * MIB, ge=KIB)
    max_files: int = Field(default=20, ge=0)  # of one run
    run_timeout: float = Field(default=300, gt=0, allow_inf_nan=False)

    max_agents: int = Field(default=10_000, ge=1)  # saved with one key

    # sockets
    max_sockets: int = Field(default=10_000, ge=1)  # with one key
    frames_per_second: float = Field(default=100, ge=0, allow_inf_nan=False)  # of one socket, on average; 0: no limit
    frames_at_once: int = Field(default=2000, ge=1)
    # The transport closes a socket at 64 MiB instead of answering, and our own client takes no larger answer.
    max_frame_bytes: int = Field(default=8 * MIB, ge=64 * KIB, le=48 * MIB)
    max_waiting_posts: int = Field(default=1000, ge=1)  # of one session
    max_waiting_frames: int = Field(default=4096, ge=64)
    # The published SDK's socket breaks at 4 MiB.
    max_page_bytes: int = Field(default=3 * MIB + 512 * KIB, ge=64 * KIB, le=48 * MIB)

    # what a model is given of a session
    history_turns: int = Field(default=100, ge=1)
    history_chars: int = Field(default=200_000, ge=2_000)
    history_file_bytes: int = Field(default=8 * MIB, ge=0)

    # tools
    tool_timeout: float = Field(default=10, gt=0, allow_inf_nan=False)
    max_tool_bytes: int = Field(default=64 * KIB, ge=KIB)
