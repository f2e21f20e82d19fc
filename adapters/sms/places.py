"""From where media may be fetched: our account's at Twilio's API, and wherever in public that sends us. Pure."""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

TWILIO = "https://api.twilio.com"
FILE = re.compile(r"/2010-04-01/Accounts/(\w+)/Messages/\w+/Media/\w+", re.ASCII)
LISTED = re.compile(r"/2010-04-01/Accounts/(\w+)/Messages/(\w+)\.json#([0-9]{1,3})", re.ASCII)
PLAIN = re.compile(r"[!-~]+")
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
PRIVATE = ("localhost", "local", "internal")
PORTS = {"https": 443, "http": 80}


class Places:
    """`api_url`: another address of Twilio's API, or empty."""

    def __init__(self, account_sid: str, api_url: str) -> None:
        self._account = account_sid
        self.api = api_url.rstrip("/") or TWILIO
        self._api = urlsplit(self.api)

    def path_of(self, where: str) -> str | None:
        """The path of a file of our account, below the API's address. None: it is elsewhere, or somebody else's."""
        parts = _parts(where)
        if parts is None or parts.query or parts.fragment:
            return None
        path = parts.path
        if _origin(parts) == _origin(self._api):
            path = path.removeprefix(self._api.path)
        elif _origin(parts) != _origin(urlsplit(TWILIO)):
            return None
        found = FILE.fullmatch(path)
        return path if found and found[1] == self._account else None

    def listed(self, where: str) -> tuple[str, int] | None:
        """The message of ours and which of its files, where a message of Twilio's list names it so."""
        found = LISTED.fullmatch(where)
        return (found[2], int(found[3])) if found and found[1] == self._account else None

    def may_follow(self, url: str) -> bool:
        """Encrypted, and to nobody's own network: a redirect must not open what stands beside us."""
        parts = _parts(url)
        if parts is None or not parts.hostname:
            return False
        if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(self._api.hostname or "")):
            return False
        return parts.hostname == self._api.hostname or _is_public(parts.hostname)


def _parts(url: str) -> SplitResult | None:
    """None: it is no address, or holds a user's name."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return parts if port != 0 and "@" not in parts.netloc and PLAIN.fullmatch(url) else None


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or PORTS.get(parts.scheme)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_public(host: str) -> bool:
    """By its name alone: nothing is looked up."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        *before, last = host.rstrip(".").split(".")
        return bool(before) and last not in PRIVATE and not NUMBER.fullmatch(last)  # 127.1 is an address too
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_global and not mapped.is_multicast)
