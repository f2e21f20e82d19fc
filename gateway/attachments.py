"""The files of a message, fetched when its turn begins: which go to the agent, and why the others do not."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from gateway.errors import FileTooLarge, FileUnavailable, GiveUp, TryLater
from gateway.events import MediaRef, MessageReceived
from gateway.ports import Blob, Channel, Clock
from gateway.speaker import attachment, attachment_name, passed_on
from gateway.store.tables import InboxRow

MB = 1_000_000
MAX_FILE = 5 * MB  # bytes
MOST = 10  # files of a message
POST_BYTES = 7_500_000  # of a post with its files as base64; the embedded server takes frames of 8 MiB
WITHIN_S = 60.0  # for all files of a message, in one try
PATIENCE = timedelta(minutes=2)  # of failing; then the words go on without the file

TOO_LARGE = f"larger than {MAX_FILE // MB} MB"
TOO_MUCH = "too large together with the rest of the message"
TOO_MANY = f"more than {MOST} files in a message"
NOT_IN_TIME = "it could not be fetched"


class Attachments:
    """The files of one message. Each is fetched once in a try of its turn, however often it is asked for."""

    def __init__(self, channel: Channel | None, event: MessageReceived, *, patient: bool) -> None:
        """`channel`: None where it is not set up any more. `patient`: what cannot be had now is waited for."""
        self._channel = channel
        self._event = event
        self._patient = patient
        self._until: float | None = None
        self._got: dict[int, Blob | str] = {}
        self._room = (POST_BYTES - len(json.dumps(event.text, ensure_ascii=False).encode())) * 3 // 4

    async def lines(self) -> Sequence[str]:
        """What the agent is told of each: its name, and why it does not get it. Raises `FileUnavailable`."""
        return [_line(media, await self._get(at)) for at, media in enumerate(self._event.media)]

    async def promised(self, text: str) -> Sequence[Blob]:
        """The files that a post of this text says are with it. Raises `FileUnavailable`.

        One that is gone by now leaves a text file that says so: the words were written down before, and stay.
        """
        media = self._event.media
        named = [at for at, is_with_it in enumerate(passed_on(text, len(media))) if is_with_it]
        return [_in_its_place(media[at], await self._get(at)) for at in named]

    async def _get(self, at: int) -> Blob | str:
        if at not in self._got:
            self._got[at] = TOO_MANY if at >= MOST else await self._fetched(self._event.media[at])
        return self._got[at]

    async def _fetched(self, media: MediaRef) -> Blob | str:
        most = min(MAX_FILE, self._room)
        too_large = TOO_LARGE if most == MAX_FILE or media.size > MAX_FILE else TOO_MUCH
        if self._channel is None:
            return NOT_IN_TIME
        if most <= 0 or media.size > most:
            return too_large
        try:
            async with asyncio.timeout_at(self._deadline()):
                blob = await self._channel.fetch(media, self._event.thread, most=most)
        except FileTooLarge:
            return too_large
        except GiveUp as error:
            return str(error)
        except (TryLater, TimeoutError) as error:
            if not self._patient:
                return NOT_IN_TIME
            wait = error.retry_after if isinstance(error, TryLater) else None
            raise FileUnavailable(f"a file cannot be fetched: {error}", retry_after=wait) from error
        self._room -= len(blob.data)
        # The message may not have said its name, such as that of a file of another workspace.
        return Blob(blob.data, blob.mime_type, attachment_name(replace(media, name=media.name or blob.name)))

    def _deadline(self) -> float:
        if self._until is None:
            self._until = asyncio.get_running_loop().time() + WITHIN_S
        return self._until


class Fetching:
    def __init__(self, channels: Mapping[str, Channel], clock: Clock) -> None:
        self._channels = channels
        self._clock = clock

    def of(self, row: InboxRow, event: MessageReceived) -> Attachments:
        """Fetches nothing yet."""
        now = self._clock()
        patient = now - (row.failing_since or now) < PATIENCE
        return Attachments(self._channels.get(event.thread.channel), event, patient=patient)


def _line(media: MediaRef, got: Blob | str) -> str:
    return attachment(replace(media, name=got.name)) if isinstance(got, Blob) else attachment(media, got)


def _in_its_place(media: MediaRef, got: Blob | str) -> Blob:
    if isinstance(got, Blob):
        return got
    return Blob(f"[This file was not passed on: {got}]".encode(), "text/plain", attachment_name(media))
