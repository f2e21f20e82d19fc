"""Which agent answers where, and how much of it there may be in a day. Pure."""

from datetime import timedelta
from typing import Literal

from pydantic import Field, field_validator, model_validator

from gateway.events import MessageReceived
from gateway.policy.countries import country
from gateway.policy.words import Duration, Words


class Route(Words):
    """Which agent answers where. The first match wins."""

    channel: Literal["slack", "sms", "email", "web", "console", "*"]
    account: str = "*"
    agent: str = Field(min_length=1)
    session_idle: Duration = timedelta(days=30)
    turns_per_day: int | None = Field(default=None, ge=1)
    sender_turns_per_day: int | None = Field(default=None, ge=1)
    segments_per_day: int | None = Field(default=None, ge=1)
    sender_segments_per_day: int | None = Field(default=None, ge=1)
    countries: tuple[str, ...] | None = None
    held: Literal["one_by_one", "batch"] = "one_by_one"
    show_work: bool = False

    @field_validator("countries")
    @classmethod
    def are_countries(cls, codes: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if codes == ():
            raise ValueError("it names no country, so nobody would be answered: name some, or leave it out")
        return None if codes is None else tuple(country(code) for code in codes)

    @model_validator(mode="after")
    def counts_segments_of_texts(self) -> "Route":
        words = ("segments_per_day", "sender_segments_per_day", "countries")
        for word in words if self.channel not in ("sms", "*") else ():
            if getattr(self, word) is not None:
                raise ValueError(f'`{word}` is for texts: channel = "{self.channel}" has none')
        return self

    @property
    def name(self) -> str:
        """The same for the same words, for counting."""
        return f"{self.channel}/{self.account}/{self.agent}"

    def bars(self, event: MessageReceived) -> bool:
        """Is the sender in a country that is not listed? Who cannot be placed is in none. Only a number is anywhere."""
        return self.countries is not None and event.country is not None and event.country not in self.countries

    def takes(self, event: MessageReceived) -> bool:
        named = self.account == event.thread.account
        return self.channel in ("*", event.thread.channel) and (named or (self.account == "*" and event.own_account))
