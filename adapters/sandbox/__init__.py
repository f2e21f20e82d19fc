"""The outside world in a box: stand-ins for Slack and Twilio that the real clients talk to, and a page to use them.

It reaches the gateway only as the platforms do, over signed HTTP; it imports no other adapter.
"""

from adapters.sandbox.errors import GatewayAway, NotAllowedByClient, NotInSandbox
from adapters.sandbox.settings import SandboxSettings
from adapters.sandbox.world import Sandbox

__all__ = ["GatewayAway", "NotAllowedByClient", "NotInSandbox", "Sandbox", "SandboxSettings"]
