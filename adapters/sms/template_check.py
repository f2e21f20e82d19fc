"""What `gateway doctor` looks at in the template that shows requests on WhatsApp."""

from collections.abc import Sequence

import aiohttp
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.rest import Client

from adapters.sms import buttons
from adapters.sms.settings import SmsSettings
from gateway.ports import Finding

SETTING = "see SMS__WHATSAPP_TEMPLATE in docs/deploying.md"


class TemplateCheck:
    def __init__(self, settings: SmsSettings, client: Client) -> None:
        self._settings = settings
        self._client = client

    async def findings(self) -> Sequence[Finding]:
        """Does it exist, is each button over its own verdict, and has WhatsApp approved it? Nothing without one."""
        sid = self._settings.whatsapp_template
        if not sid:
            return []
        if self._settings.api_url:
            self._client.content.base_url = self._settings.api_url.rstrip("/")
        template = self._client.content.v1.contents(sid)
        try:
            misfit = buttons.misfit((await template.fetch_async()).types)
            approval = (await template.approval_fetch().fetch_async()).whatsapp or {}
        except TwilioRestException as error:
            return [Finding(False, f"sms: the template {sid} cannot be read: Twilio said {error.status}", SETTING)]
        except (aiohttp.ClientError, TimeoutError, TwilioException, ValueError):
            return [Finding(False, f"sms: the template {sid} cannot be read", SETTING)]
        if misfit:
            return [Finding(False, f"sms: the template {sid} does not show a request: {misfit}", SETTING)]
        status = str(approval.get("status") or "not submitted")
        if status != "approved":
            return [Finding(False, f"sms: WhatsApp has not approved the template {sid} ({status})", SETTING)]
        return [Finding(True, f"sms: the template {sid} shows requests on WhatsApp")]
