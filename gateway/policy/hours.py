"""Quiet hours: `20:00-08:00 Europe/Berlin`. Pure."""

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


@dataclass(frozen=True, slots=True)
class Quiet:
    begins: time
    ends: time
    zone: ZoneInfo

    def over_at(self, now: datetime) -> datetime:
        """When it is not quiet any more: `now` itself outside of the hours. Aware, in the zone of `now`."""
        here = now.astimezone(self.zone)
        clock = here.timetz().replace(tzinfo=None)
        overnight = self.begins > self.ends
        quiet = clock >= self.begins or clock < self.ends if overnight else self.begins <= clock < self.ends
        if not quiet:
            return now
        day = here.date() + timedelta(days=1) if overnight and clock >= self.begins else here.date()
        over = datetime.combine(day, self.ends, self.zone)
        # In autumn an hour comes twice: the first end may be behind us.
        both = [over.replace(fold=fold).astimezone(now.tzinfo) for fold in (0, 1)]
        return both[0] if both[0] > now else both[1]


def read(text: str) -> Quiet | None:
    """None for the empty text. Raises `ValueError`."""
    if not text:
        return None
    found = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d) (\S+)", text)
    if not found:
        raise ValueError('quiet hours are written like "20:00-08:00 Europe/Berlin"')
    begins, ends = time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4]))
    if begins == ends:
        raise ValueError("quiet hours that begin when they end would never be over")
    try:
        return Quiet(begins, ends, ZoneInfo(found[5]))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: `Europe` is a folder of zones
        raise ValueError(f"there is no time zone {found[5]!r}; write one like Europe/Berlin or UTC") from error
