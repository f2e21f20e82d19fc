"""What Slack is told of our app: the manifest to make it with. Pure.

https://docs.slack.dev/reference/app-manifest
"""

from typing import Any

from adapters.slack.home import COMMAND

SCOPES = {
    "app_mentions:read": "a mention in a channel opens a conversation",
    "commands": "`/approvals`: what waits for me?",
    "chat:write": "replies, cards, private answers to whoever clicked",
    "assistant:write": 'Slack\'s view for agents, and "is thinking..." while one works',
    "im:history": "direct messages to the bot",
    "channels:history": "what follows in a thread; and has a message whose answer was lost arrived?",
    "groups:history": "the same in private channels",
    "files:read": "what people send beside their words",
    "channels:read": "`gateway doctor`: is the bot where requests are shown?",
    "groups:read": "the same of private channels",
    "users:read": "`gateway people check`: is each Slack user there?",
    "usergroups:read": "approvers written as `slack:group:...`",
}
LEAVING = ("app_uninstalled", "tokens_revoked")  # with many workspaces: where the app was removed
EVENTS = ("app_home_opened", "app_mention", "message.im", "message.channels", "message.groups")
ABOUT = "Answers what you ask, and asks a colleague before it does anything sensitive."
PATH = "/slack/events"
REDIRECT = "/slack/oauth_redirect"


def manifest(public_url: str | None, name: str = "Gatehouse", *, many: bool = False) -> dict[str, Any]:
    """For an app whose requests come to `public_url`; None: by Socket Mode, where no address is named.

    `many`: workspaces install it by OAuth, which leads people's browsers back to `public_url`.
    """
    address = public_url.rstrip("/") + PATH if public_url is not None else None
    oauth = {"redirect_urls": [public_url.rstrip("/") + REDIRECT]} if many and public_url is not None else {}
    events = [*EVENTS, *(LEAVING if many else ())]
    return {
        "display_information": {"name": name},
        "features": {
            # The only view Slack gives to new agents: https://docs.slack.dev/ai/migrating-to-agent-messaging
            "agent_view": {"agent_description": ABOUT, "suggested_prompts": []},
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "slash_commands": [
                {
                    "command": COMMAND,
                    **_at("url", address),
                    "description": "What waits for your decision",
                    "should_escape": True,
                }
            ],
            "bot_user": {"display_name": name, "always_online": True},
        },
        "oauth_config": {**oauth, "scopes": {"bot": list(SCOPES)}},
        "settings": {
            "event_subscriptions": {**_at("request_url", address), "bot_events": events},
            "interactivity": {"is_enabled": True, **_at("request_url", address)},
            "org_deploy_enabled": False,
            "socket_mode_enabled": address is None,
            "token_rotation_enabled": False,
        },
    }


def _at(name: str, address: str | None) -> dict[str, str]:
    return {name: address} if address else {}
