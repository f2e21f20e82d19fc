"""The sentences the gateway itself says to people. Words only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    asked: str = "I need a colleague's approval for that. I have asked, and I will get back to you here."
    held: str = "I am still waiting for a colleague's decision. I have your message and will answer it right after."
    held_for_requester: str = (
        "I still wait for your answer to what I asked: please reply as it says there. "
        "I have your message and will answer it right after."
    )
    paused: str = "Our assistant is paused at the moment. I have your message, and you will get an answer here."
    capped: str = "You have reached the number of messages I can answer in a day. Please write again tomorrow."
    late_reply: str = "(This answers your message of {when}. Sorry for the delay.)"
    failed: str = "Sorry, something went wrong on our side and I could not answer that. Please try again in a moment."
    cut_off: str = "Sorry, I cannot do that now: one of our connections must be renewed. Our team has been told."
    late: str = "Sorry, I cannot answer at the moment. Your message is safe, and I will reply as soon as I can."
    unanswered: str = "nobody decided before the deadline"
    unreachable: str = "nobody could be asked"
    unanswered_long: str = "nobody decided, though the request was held open for a week"
    taken_over: str = "nobody decided before the deadline; a person takes the conversation over"
    handed_over: str = "Nobody could decide that in time. A colleague takes over from here and will write to you."
    with_a_person: str = "A colleague is looking after this conversation. I have passed your message on."
    verdict_unclear: str = "That decided nothing. To decide, reply YES or NO and one code, such as YES 123456."
    verdict_none: str = "That decided nothing: no request of yours is open."
    code_replaced: str = "That code ran out and decided nothing. Please use the newer one that I sent you."
    codes_locked: str = "Too many wrong codes. No code from this number decides before {until}."
    only_buttons: str = (
        "Only the buttons of the card decide. What you wrote is kept as a note with this request; "
        "it is sent neither to the agent nor to the customer."
    )
    #: to HELP, where the carrier does not answer it; empty: nothing is said
    help: str = (
        "You are writing with an automated assistant. Reply STOP to get no more messages, START to get them again."
    )
    reached: str = "Thank you. Your answer reached us; it decided nothing."
