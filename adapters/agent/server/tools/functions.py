"""The Python functions an agent definition may name."""

from adapters.agent.server.tools.call import Function
from adapters.agent.server.tools.knowledge import search_knowledge
from adapters.agent.server.tools.people import ask_human, human_handoff
from adapters.agent.server.tools.settings import EXA_KEY
from adapters.agent.server.tools.shop import asks_about_new_address, issue_refund, lookup_order, update_address
from adapters.agent.server.tools.web import web_search

FUNCTIONS: dict[str, Function] = {
    "lookup_order": Function(lookup_order),
    "issue_refund": Function(issue_refund, writes=True),
    "update_address": Function(update_address, writes=True, must_ask=asks_about_new_address),
    "search_knowledge": Function(search_knowledge),
    "human_handoff": Function(human_handoff),
    "web_search": Function(web_search, needs=EXA_KEY),
    "ask_human": Function(ask_human),
}
