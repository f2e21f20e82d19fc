"""What the lines of the log are about: ids, bound for a while and carried along by asyncio. Never words of people."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

_about: ContextVar[dict[str, str]] = ContextVar("about", default={})  # noqa: B039 - never changed in place


@contextlib.contextmanager
def about(**ids: int | str | None) -> Iterator[None]:
    """Every line logged inside names these ids; None is left out."""
    named = {name: str(value) for name, value in ids.items() if value is not None}
    token = _about.set({**_about.get(), **named})
    try:
        yield
    finally:
        _about.reset(token)


def ids() -> dict[str, str]:
    return _about.get()
