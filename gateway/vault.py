"""Secrets at rest: sealed with the newest key, opened with any of them. Pure; knows no database."""

import base64
import json
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PURPOSE = b"gatehouse: secrets at rest"  # another use of the same key gets another key


class Vault:
    def __init__(self, keys: Sequence[str]) -> None:
        """`keys` as in SECRET_KEY, newest first."""
        self._each = [Fernet(_derived(key)) for key in keys]
        self._any = MultiFernet(self._each)

    def seal(self, secret: str, of: str) -> str:
        """`of` says whose secret it is: sealed for one, it opens for no other."""
        return self._each[0].encrypt(json.dumps([of, secret]).encode()).decode()

    def open(self, sealed: str, of: str) -> str | None:
        """None: no key opens it, or it is another's."""
        try:
            whose, secret = json.loads(self._any.decrypt(sealed.encode()))
        except InvalidToken:
            return None
        return str(secret) if whose == of else None

    def is_old(self, sealed: str) -> bool:
        """It was not sealed with the newest key."""
        try:
            self._each[0].decrypt(sealed.encode())
        except InvalidToken:
            return True
        return False


def _derived(key: str) -> bytes:
    made = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(key.encode())
    return base64.urlsafe_b64encode(made)
