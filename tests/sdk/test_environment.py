"""The lock of the SDK's environment, and a server that is locked."""

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from adapters.agent.server.app import ServerSettings
from tests.adapters.agent.world import AGENTS, serving
from tests.sdk.conftest import ROOT, Sdk

pytestmark = pytest.mark.timeout(300)


def test_the_lock_names_every_package_with_its_hashes_and_no_place_to_get_it_from() -> None:
    lock = (ROOT / "requirements-vectorshift.txt").read_text()
    pinned = re.split(r"\n(?=[a-z])", lock)[1:]

    assert any(package.startswith("vectorshift==0.1.15 ") for package in pinned)
    assert all(re.match(r"[a-z0-9.-]+==\S+ ", package) and "--hash=sha256:" in package for package in pinned)
    assert "://" not in lock
    assert "/" not in lock.split("\n", 2)[2]


async def test_a_wrong_key_is_told_as_what_it_is(sdk_environment: None, tmp_path: Path) -> None:
    settings = ServerSettings(
        agents_dir=AGENTS, database_url=f"sqlite:///{tmp_path}/agent.db", api_key=SecretStr("right")
    )
    async with serving(settings) as url:
        wrong = await Sdk(url, tmp_path)("locked", key="wrong")
        right = await Sdk(url, tmp_path)("locked", key="right")

    assert wrong["rest"] == "the API key is missing or wrong"
    assert "401" in wrong["socket"]
    assert right == {"rest": "", "socket": ""}
