"""Somebody who installs the app into a workspace, in a browser of their own."""

import re
from html import unescape
from urllib.parse import parse_qsl, urlsplit

import httpx


class Browser:
    """Follows nothing by itself. Keeps the one cookie, which is `Secure`, also where a test speaks http."""

    def __init__(self, gateway: str) -> None:
        self._gateway = gateway
        self._http = httpx.AsyncClient(trust_env=False)
        self.cookie = ""

    async def __aenter__(self) -> "Browser":
        return self

    async def __aexit__(self, *ended: object) -> None:
        await self._http.aclose()

    async def begins(self) -> str:
        """The address of Slack's page."""
        page = await self.opens(f"{self._gateway}/slack/install")
        assert page.status_code == 200
        link = re.search(r'class="go" href="([^"]+)"', page.text)
        assert link is not None
        return unescape(link[1])

    async def decides(self, slack: str, team: str) -> str:
        """Allow it in a workspace, or with none cancel; the address that Slack leads to."""
        asked = dict(parse_qsl(urlsplit(slack).query))
        assert (await self._http.get(slack)).status_code == 200
        answer = await self._http.post(slack.partition("?")[0], data={**asked, "team": team})
        assert answer.status_code == 302
        return answer.headers["location"]

    async def opens(self, address: str) -> httpx.Response:
        page = await self._http.get(address, headers={"cookie": self.cookie} if self.cookie else {})
        for cookie in page.headers.get_list("set-cookie"):
            self.cookie = cookie.partition(";")[0]
        return page

    async def installs(self, team: str) -> None:
        page = await self.opens(await self.decides(await self.begins(), team))
        assert page.status_code == 200
        assert "is installed" in page.text
