"""What the machine itself can do: the disk's fdatasync, the cores, the versions."""

import os
import platform
import statistics
import time
from pathlib import Path

APPENDS = 300


def fdatasync_ms(folder: Path) -> float:
    """The median of some hundred appends of 4 KiB, each followed by an fdatasync, in milliseconds."""
    path = folder / "fdatasync"
    sync = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync
    times = []
    with path.open("ab", buffering=0) as file:
        for _ in range(APPENDS):
            before = time.perf_counter()
            file.write(b"\0" * 4096)
            sync(file.fileno())
            times.append(time.perf_counter() - before)
    path.unlink()
    return statistics.median(times) * 1000


def machine() -> dict[str, str | int | float]:
    """`load`: how many processes of others wanted a core in the last minute; the figures suffer from them."""
    return {
        "cores": os.cpu_count() or 1,
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
    }
