"""Which addresses a tool may never call: those inside our own network, and those that hand out credentials."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from adapters.agent.server.tools.call import ToolFailed
from adapters.agent.server.tools.settings import ToolSettings

# Public by their number, but only ever answered by the cloud or the site one runs in.
INSIDES = (ip_network("168.63.129.16/32"), ip_network("192.0.0.0/24"), ip_network("fec0::/10"))
NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))


async def reachable(host: str, port: int, settings: ToolSettings) -> Sequence[str]:
    """The addresses to connect to, resolved once: nobody may ask again afterwards. Raises `ToolFailed`."""
    try:
        found = await settings.resolve(host, port)
    except OSError as error:
        raise ToolFailed(f"the host {host} is not known", for_log="its host is not known") from error
    if not found or any(is_internal(one, allow_loopback=settings.allow_loopback) for one in found):
        raise ToolFailed(f"{host} is an internal address: no tool may call it", for_log="an internal address")
    return found


def is_internal(address: str, *, allow_loopback: bool = False) -> bool:
    """Also of what is no address at all."""
    try:
        ip = ip_address(address)
    except ValueError:
        return True
    if isinstance(ip, IPv6Address) and (inner := _carried(ip)) is not None:
        ip = inner
    if ip.is_loopback:
        return not allow_loopback
    inside = any(ip in network for network in INSIDES if network.version == ip.version)
    return inside or not ip.is_global or ip.is_multicast or ip.is_reserved or ip.is_unspecified


def _carried(ip: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that packets to this one end at."""
    if any(ip in network for network in NAT64):
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
