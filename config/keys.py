"""SECRET_KEY, newest first; where none is needed, one that is made once and kept beside the database."""

import os
import secrets
from pathlib import Path

from config.settings import Settings
from gateway.errors import ConfigError
from gateway.store import database_url
from gateway.work.local import sqlite_path

NAME = "secret.key"


def keys_of(settings: Settings) -> tuple[str, ...]:
    """Never empty, and no key is: whoever guesses a key makes everybody's tokens. Raises `ConfigError`.

    Without SECRET_KEY: the key beside a SQLite database, made at the first call (mode 0600).
    """
    if settings.secret_key is not None:
        found = tuple(one for key in settings.secret_key.get_secret_value().split(",") if (one := key.strip()))
        if not found:
            raise ConfigError("SECRET_KEY is empty: set it to a long random text, or unset it")
        return found
    path = sqlite_path(database_url(settings.database_url))
    return (_kept(path.parent / NAME if path is not None else Path("var") / NAME),)


def _kept(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if kept := path.read_text().strip():
            return kept
        raise ConfigError(f"{path} is empty: delete it, and the next start makes another one") from None
    with os.fdopen(made, "w") as file:
        file.write(secrets.token_urlsafe(32))
    return path.read_text().strip()
