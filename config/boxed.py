"""The sandbox as this process knows it: its settings, and those with which our channels reach it."""

import secrets
from pathlib import Path

from adapters.sandbox import twilio_templates
from adapters.sandbox.settings import SandboxSettings
from adapters.sandbox.world import Sandbox
from adapters.slack.settings import SlackSettings
from adapters.sms.settings import SmsSettings
from gateway.ports import Clock


def sandbox(url: str, public_url: str, state: Path, clock: Clock, *, by_oauth: bool = False) -> Sandbox:
    """The outside world in a box, reached at the gateway's own `url`."""
    return Sandbox(settings(url, public_url, state, by_oauth=by_oauth), clock=lambda: clock().timestamp())


def settings(url: str, public_url: str, state: Path, *, by_oauth: bool = False) -> SandboxSettings:
    """With credentials that live as long as the process. `by_oauth`: the app is installed in neither workspace yet."""
    of_slack = {"slack_bot_token": "xoxb-" + secrets.token_hex(12)}
    if by_oauth:
        of_slack = {"slack_client_id": "1.2", "slack_client_secret": secrets.token_hex(16)}
    return SandboxSettings(
        **of_slack,
        gateway_url=url,
        public_url=public_url,
        state_path=state,
        slack_signing_secret=secrets.token_hex(16),
        sms_account_sid="AC" + secrets.token_hex(16),
        sms_auth_token=secrets.token_hex(16),
    )


def slack(world: SandboxSettings) -> SlackSettings:
    by_oauth = {"client_id": world.slack_client_id, "client_secret": world.slack_client_secret}
    return SlackSettings.model_validate(
        {
            **(by_oauth if world.slack_client_id else {"bot_token": world.slack_bot_token}),
            "signing_secret": world.slack_signing_secret,
            "api_url": f"{world.base}/sandbox/slack/api/",
        }
    )


def sms(world: SandboxSettings) -> SmsSettings:
    return SmsSettings.model_validate(
        {
            "account_sid": world.sms_account_sid,
            "auth_token": world.sms_auth_token,
            "from": world.sms_from,
            "api_url": f"{world.base}/sandbox/twilio",
            "whatsapp_template": twilio_templates.SID,
        }
    )
