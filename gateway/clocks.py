"""Do two clocks agree? One line of `gateway doctor`. Pure."""

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from gateway.ports import Finding

CLOSE = timedelta(seconds=5)
DANGEROUS = timedelta(seconds=60)
HEADER_GRAIN = timedelta(seconds=1)  # a Date header leaves out what is below


def compared(
    whose: str, theirs: datetime, before: datetime, after: datetime, grain: timedelta = timedelta()
) -> Finding:
    """`theirs` was read by somebody between `before` and `after`, which are ours."""
    apart = max(before - theirs - grain, theirs - after, timedelta())
    if apart < timedelta(seconds=1):
        return Finding(True, f"{whose}: its clock and ours agree")
    said = f"{whose}: its clock and ours are {apart.total_seconds():.0f} s apart"
    if apart <= CLOSE:
        return Finding(True, said)
    harm = "; Slack's requests are refused when it grows to five minutes" if apart > DANGEROUS else ""
    return Finding(False, said, f"set this machine's clock by a time server{harm}")


def by_header(whose: str, date: str | None, before: datetime, after: datetime) -> list[Finding]:
    """The same for a Date header; nothing where there is none that can be read."""
    try:
        theirs = parsedate_to_datetime(date or "")
    except ValueError:
        return []
    return [] if theirs.tzinfo is None else [compared(whose, theirs, before, after, HEADER_GRAIN)]
