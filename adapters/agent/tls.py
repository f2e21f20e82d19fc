"""Whom https trusts, read once for all clients of a process: each reading is 30 ms of work."""

import ssl
from functools import cache

import httpx


@cache
def trusted(*, by_environment: bool) -> ssl.SSLContext:
    """Of the environment: SSL_CERT_FILE or SSL_CERT_DIR, where one is set."""
    return httpx.create_ssl_context(trust_env=by_environment)
