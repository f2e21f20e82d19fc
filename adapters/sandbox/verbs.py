"""What people do in the sandbox, each sent to the gateway as the platform would: signed, over HTTP.

The page, the demo and tests use the same verbs. They answer the gateway's response, whatever its status.
"""

import re
import secrets
import uuid
from collections.abc import Callable, Mapping, Sequence

import httpx

from adapters.sandbox import cast, slack_payloads
from adapters.sandbox.cast import WHATSAPP
from adapters.sandbox.errors import GatewayAway, NotInSandbox, SlackSaysNo
from adapters.sandbox.line import Line
from adapters.sandbox.phones import Phones, new_sid
from adapters.sandbox.pictures import Picture
from adapters.sandbox.settings import SandboxSettings
from adapters.sandbox.slack_chat import POST_TEXT, content_of
from adapters.sandbox.slack_files import Files, Upload
from adapters.sandbox.state import Thing
from adapters.sandbox.twilio_faults import TextFaults
from adapters.sandbox.twilio_rules import media_path, segments
from adapters.sandbox.views import Views
from adapters.sandbox.workspace import Workspace

COMMAND = re.compile(r"(/[a-z][a-z0-9_-]*)( .*)?", re.DOTALL)
TROUBLE = "We had some trouble connecting. Try again?"


class Customer:
    """Somebody with a phone."""

    def __init__(self, settings: SandboxSettings, phones: Phones, line: Line, faults: TextFaults) -> None:
        self._settings = settings
        self._phones = phones
        self._line = line
        self._faults = faults

    async def text(
        self,
        from_number: str,
        body: str,
        message_sid: str | None,
        extra: Mapping[str, str] | None,
        pictures: Sequence[Picture] = (),
    ) -> httpx.Response:
        sid, ours = message_sid or new_sid("MM" if pictures else "SM"), self._settings.our_end(from_number)
        text = self._phones.text(sid)
        if text is None:
            kept = {"direction": "inbound", "ours": ours, "theirs": from_number, "body": body, "sid": sid}
            text = self._phones.keep(**kept, status="sending", pictures=pictures)
            self._phones.obey_keyword(from_number, ours, body)
        form = {
            "ToCountry": "US",
            "SmsMessageSid": sid,
            "NumMedia": str(len(text["pictures"])),
            "SmsSid": sid,
            "SmsStatus": "received",
            "Body": body,
            "FromCountry": "US",
            "To": ours,
            "NumSegments": str(segments(body)),
            "MessageSid": sid,
            "AccountSid": self._settings.sms_account_sid,
            "From": from_number,
            "ApiVersion": "2010-04-01",
        }
        for place, one in enumerate(text["pictures"]):
            form[f"MediaUrl{place}"] = (
                f"{self._settings.base}/sandbox/twilio{media_path(self._settings.sms_account_sid, sid, one['sid'])}"
            )
            form[f"MediaContentType{place}"] = one["type"]
        if self._settings.sms_from.startswith("MG"):
            form["MessagingServiceSid"] = self._settings.sms_from
        if from_number.startswith(WHATSAPP):
            form |= {"ProfileName": "Somebody", "WaId": from_number.removeprefix(WHATSAPP + "+"), "MessageType": "text"}
        try:
            response = await self._line.twilio("/sms/inbound", form | dict(extra or {}))
            if self._faults.met("twice"):
                await self._line.twilio("/sms/inbound", form | dict(extra or {}))
        except GatewayAway:
            self._phones.mark(sid, "failed")
            raise
        self._phones.mark(sid, "received" if response.is_success else "failed")
        return response

    async def tap(self, from_number: str, sid: str, title: str) -> httpx.Response:
        """A button below a message on WhatsApp: it can be pressed for as long as the message is there."""
        text = self._phones.text(sid)
        shown = text["buttons"] if text is not None and text["number"] == from_number else []
        payload = next((one["payload"] for one in shown if one["title"] == title), None)
        if payload is None:
            raise NotInSandbox(f"{from_number} has no button {title} below {sid}.")
        return await self.text(
            from_number, title, None, {"MessageType": "button", "ButtonText": title, "ButtonPayload": payload}
        )


class Colleague:
    """Somebody in the workspace."""

    def __init__(
        self,
        settings: SandboxSettings,
        workspace: Workspace,
        views: Views,
        files: Files,
        line: Line,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._workspace = workspace
        self._views = views
        self._files = files
        self._line = line
        self._clock = clock

    async def click(self, user: str, channel: str, ts: str, action_id: str) -> httpx.Response:
        _check_person(user)
        post = self._workspace.posted(channel, ts)
        message = post or self._workspace.whispered(user, ts)
        if message is None:
            raise NotInSandbox(f"{user} sees no message {ts} in {channel}.")
        button, block_id = slack_payloads.find_button(message.get("blocks") or [], action_id)
        hook = self._workspace.issue_hook(user, channel, ts)
        where = slack_payloads.in_message(
            message, ephemeral=post is None, response_url=f"{self._settings.base}/sandbox/slack/respond/{hook}"
        )
        return await self._press(user, button, block_id, where)

    async def press(self, user: str, view_id: str, action_id: str, block_id: str) -> httpx.Response:
        view = self._view_of(user, view_id)
        button, block_id = slack_payloads.find_button(view["blocks"], action_id, block_id)
        return await self._press(user, button, block_id, slack_payloads.in_view(view))

    async def submit(self, user: str, view_id: str, values: dict[str, str]) -> httpx.Response:
        view = self._view_of(user, view_id)
        trigger = self._workspace.issue_trigger(user)
        payload = slack_payloads.view_submission(user, view, values, trigger)
        try:
            response = await self._line.slack_interaction(payload)
        except GatewayAway:
            self._views.complain(view_id, {"": TROUBLE})
            raise
        self._obey(user, view_id, response)
        return response

    async def dismiss(self, user: str, view_id: str) -> httpx.Response | None:
        """Close a modal; the gateway is told only when the view asked for it."""
        view = self._view_of(user, view_id)
        self._views.close(view_id)
        if not view["notify_on_close"]:
            return None
        return await self._line.slack_interaction(slack_payloads.view_closed(user, view))

    async def write(
        self, user: str, channel: str, text: str, thread_ts: str | None, files: Sequence[Upload]
    ) -> httpx.Response:
        _check_person(user)
        if channel not in cast.CHANNELS or user not in cast.CHANNELS[channel].members:
            raise NotInSandbox(f"{user} is not in {channel}.")
        if thread_ts is not None and self._workspace.posted(channel, thread_ts) is None:
            raise NotInSandbox(f"There is no message {thread_ts} in {channel}.")
        if command := COMMAND.fullmatch(text):
            return await self._command(user, channel, command[1], (command[2] or "").strip())
        with_files: Thing = {}
        if files:
            with_files = {"subtype": "file_share", "files": [self._files.keep(user, one) for one in files]}
        post = self._workspace.post(channel, user=user, text=escaped(text), thread_ts=thread_ts, **with_files)
        return await self._event(slack_payloads.message_event(post, client_msg_id=str(uuid.uuid4())))

    async def edit(self, user: str, channel: str, ts: str, text: str) -> httpx.Response:
        before = self._own_post(user, channel, ts)
        after = self._workspace.edit(before, {"text": escaped(text)}, by=user)
        return await self._event(slack_payloads.changed(before, after, self._workspace.next_ts()))

    async def delete(self, user: str, channel: str, ts: str) -> httpx.Response:
        before = self._own_post(user, channel, ts)
        self._workspace.delete(before)
        return await self._event(slack_payloads.deleted(before, self._workspace.next_ts()))

    def _own_post(self, user: str, channel: str, ts: str) -> Thing:
        post = self._workspace.posted(channel, ts)
        if post is None or post["user"] != user:
            raise NotInSandbox(f"{user} wrote no message {ts} in {channel}.")
        return post

    async def opens_home(self, user: str) -> httpx.Response:
        _check_person(user)
        return await self._event(slack_payloads.home_opened(user, self._workspace.next_ts()))

    async def _command(self, user: str, channel: str, name: str, text: str) -> httpx.Response:
        """What the gateway answers is shown to whoever gave the command, and to nobody else."""
        hook = self._workspace.issue_hook(user, channel, "")
        form = slack_payloads.command(
            user,
            channel,
            name,
            text,
            trigger=self._workspace.issue_trigger(user),
            response_url=f"{self._settings.base}/sandbox/slack/respond/{hook}",
        )
        response = await self._line.slack_command(form)
        answer = _response_action(response)
        if response.is_success and isinstance(answer, dict) and answer:
            try:
                self._workspace.whisper(user, channel, **content_of(answer, POST_TEXT))
            except SlackSaysNo as no:
                raise NotInSandbox(f"Slack does not show what the gateway answered: {no.error}.") from None
        return response

    async def _event(self, event: Thing) -> httpx.Response:
        event_id = "Ev0" + secrets.token_hex(5).upper()
        return await self._line.slack_event(
            slack_payloads.event(event, event_id=event_id, event_time=int(self._clock()))
        )

    async def _press(self, user: str, button: Thing, block_id: str, where: Thing) -> httpx.Response:
        action = slack_payloads.action(button, block_id, self._workspace.next_ts())
        trigger = self._workspace.issue_trigger(user)
        return await self._line.slack_interaction(slack_payloads.block_actions(user, action, trigger, where=where))

    def _view_of(self, user: str, view_id: str) -> Thing:
        _check_person(user)
        if (home := self._views.home(user)) is not None and home["id"] == view_id:
            return home
        found = self._views.find(view_id)
        if found is None or found[0] != user:
            raise NotInSandbox(f"{user} has no view {view_id} open.")
        return found[1]

    def _obey(self, user: str, view_id: str, response: httpx.Response) -> None:
        """Do to the modal what the gateway answered."""
        if not response.is_success:
            self._views.complain(view_id, {"": TROUBLE})
            return
        match _response_action(response):
            case {"response_action": "errors", "errors": dict(errors)}:
                self._views.complain(view_id, errors)
            case {"response_action": "update" | "push" as deed, "view": view}:
                self._show(user, view_id, deed, view)
            case {"response_action": "clear"}:
                self._views.close_all(user)
            case {} as answer if not answer:
                self._views.close(view_id)
            case _:
                self._views.complain(view_id, {"": TROUBLE})

    def _show(self, user: str, view_id: str, deed: str, view: object) -> None:
        try:
            if deed == "update":
                self._views.update(view_id, view)
            else:
                self._views.push(user, view)
        except SlackSaysNo as no:
            self._views.complain(view_id, {"": f"{TROUBLE} ({no.error})"})


def _response_action(response: httpx.Response) -> object:
    """The body as JSON; empty for none; None for what is not JSON."""
    if not response.content.strip():
        return {}
    try:
        return response.json()
    except ValueError:
        return None


def escaped(text: str) -> str:
    """As Slack's own client sends it: three entities, and mentions left alive."""
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"&lt;@(U\w+)&gt;", r"<@\1>", plain)


def _check_person(user: str) -> None:
    if user not in cast.STAFF:
        raise NotInSandbox(f"There is no {user} in the workspace.")
