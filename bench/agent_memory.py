"""What memory a process has in use, as Linux tells it; on other systems nothing is known."""

import contextlib
from pathlib import Path

NOW, PEAK = "VmRSS", "VmHWM"
FORGET_PEAK = "5"


class Memory:
    """From now on: the peak before is forgotten."""

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")
        with contextlib.suppress(OSError):
            (self._folder / "clear_refs").write_text(FORGET_PEAK)
        self._before = self._mib(NOW)

    def grown(self, sessions: int) -> dict[str, float]:
        """In MiB, and in KiB a session."""
        before, peak, after = self._before, self._mib(PEAK), self._mib(NOW)
        if before is None or peak is None or after is None:
            return {}
        each = (peak - before) * 1024 / sessions
        return {"before_mib": before, "peak_mib": peak, "after_mib": after, "session_kib": each}

    def _mib(self, name: str) -> float | None:
        with contextlib.suppress(OSError):
            for line in (self._folder / "status").read_text().splitlines():
                if line.startswith(f"{name}:"):
                    return int(line.split()[1]) / 1024
        return None
