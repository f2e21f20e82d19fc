"""gateway.toml: who answers where, who people are, who may approve what. Pure; the text comes from outside."""

from gateway.policy.file import Policy, Retention, read
from gateway.policy.people import GROUP, REQUESTER, TOKEN, Person
from gateway.policy.routes import Route
from gateway.policy.rules import Rule, Ruling, Terms, stricter
from gateway.policy.words import CHANNELS, duration, folded, place, same_address

__all__ = [
    "CHANNELS",
    "GROUP",
    "REQUESTER",
    "TOKEN",
    "Person",
    "Policy",
    "Retention",
    "Route",
    "Rule",
    "Ruling",
    "Terms",
    "duration",
    "folded",
    "place",
    "read",
    "same_address",
    "stricter",
]
