"""The sentences the gateway itself says to people. Words only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    asked: str = "I need a colleague's approval for that. I have asked, and I will get back to you here."
    held: str = "I am still waiting for a colleague's decision. I have your message and will answer it right after."
    failed: str = "Sorry, something went wrong on our side and I could not answer that. Please try again in a moment."
    late: str = "Sorry, I cannot answer at the moment. Your message is safe, and I will reply as soon as I can."
    unanswered: str = "nobody decided before the deadline"
    unreachable: str = "nobody could be asked"
