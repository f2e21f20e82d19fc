"""Did an uncertain text go out? Twilio takes no id of ours, so its list is read: by person, sender, words and time."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import aiohttp
from twilio.base.exceptions import TwilioException
from twilio.rest import Client

from adapters.sms import segments
from adapters.sms.refusals import is_passing
from gateway.errors import TryLater, Unknowable
from gateway.events import Receipt

PAGE = 100
MOST = 1000  # texts to one person since the first try
CLOCKS_APART = timedelta(minutes=5)  # Twilio's and ours


async def find(client: Client, *, to: str, ours: str, since: datetime, says: Callable[[str], bool]) -> Receipt | None:
    """The newest text from `ours` to this person that `says` the same, and is not older than our first try.

    None: there is none. Raises `TryLater`, or `Unknowable` where the list cannot tell.
    """
    try:
        texts, whole = await _since(client, to, since - CLOCKS_APART)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise TryLater("Twilio cannot be asked at the moment") from error
    except (TwilioException, ValueError) as error:
        if is_passing(error):
            raise TryLater("Twilio cannot be asked at the moment") from error
        raise Unknowable("Twilio does not show us its messages") from error
    same = [text for text in texts if text.sid and text.body and _is_from(text, ours) and says(text.body)]
    if same:
        newest = max(same, key=_made)
        return Receipt(provider_id=str(newest.sid), segments=segments_of(newest))
    if not whole:
        raise Unknowable(f"Twilio lists {MOST} texts or more to this person since")
    return None


async def _since(client: Client, to: str, then: datetime) -> tuple[list[Any], bool]:
    """The texts to somebody that were made since, and whether these are all."""
    texts: list[Any] = []
    read = 0
    # By `to` alone: what waits at Twilio has no date of sending, so a filter by date would hide what we look for.
    async for text in await client.messages.stream_async(to=to, limit=MOST, page_size=PAGE):
        read += 1
        if (made := _made(text)) is not None and made >= then:
            texts.append(text)
        if text.date_sent is not None and text.date_sent < then:
            return texts, True  # the list begins with what was sent last
    return texts, read < MOST


def _made(text: Any) -> Any:
    return text.date_created or text.date_sent


def _is_from(text: Any, ours: str) -> bool:
    """Of a messaging service Twilio chooses the number, so the service is what is known of the sender."""
    return ours in (text.from_, text.messaging_service_sid)


def segments_of(text: Any) -> int:
    """As Twilio counts them; of a messaging service it may say 0 until it has chosen a number."""
    said = text.num_segments
    told = int(said) if isinstance(said, str) and said.isascii() and said.isdigit() else 0
    return told or (segments.count(text.body) if text.body else 0)
