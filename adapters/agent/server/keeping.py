"""What is kept at hand so that it need not be made again, and no more of it than that."""

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")

MOST = 256


def keep(kept: dict[K, V], key: K, value: V) -> V:
    """For each use. What was used longest ago makes room: it is made again when it is needed."""
    kept.pop(key, None)
    if len(kept) >= MOST:
        del kept[next(iter(kept))]
    kept[key] = value
    return value
