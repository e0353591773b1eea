"""Whose address a request comes from, through reverse proxies that are believed."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.requests import Request

from tamis.webpage import Options

Networks = Sequence[IPv4Network | IPv6Network]

SITE = 64  # bits of an IPv6 address that one subscriber has at least (RFC 6177)


def is_proxy(request: Request, proxies: Networks) -> bool:
    """Tell whether what a request says of its client is believed: by a unix socket, or from a proxy."""
    return request.client is None or _is_in(request.client.host, proxies)


def address(request: Request, proxies: Networks) -> str | None:
    """Return the client's address, None where nobody tells."""
    peer = request.client.host if request.client is not None else None
    if not is_proxy(request, proxies):
        return peer
    # The last one that is no proxy's: those before it are what the client says of itself.
    for one in reversed(request.headers.get("x-forwarded-for", "").split(",")):
        given = _plain(one)
        if given is None:
            break
        peer = given
        if not _is_in(given, proxies):
            break
    return peer


def named(request: Request, options: Options) -> str:
    """Return whom a reverse proxy that is believed names as signed in to it, "" for nobody."""
    if "header" not in options.sign_in or not is_proxy(request, options.proxies):
        return ""
    found = request.headers.getlist(options.header.name)
    # What comes twice may be the client's own. Header fields come as octets, read as Latin-1.
    return found[0].encode("latin-1").decode(errors="replace").strip() if len(found) == 1 else ""


def subscriber(client: str | None) -> str:
    """Return what attempts are counted by: the address, or the network of an IPv6 one."""
    if client is None:
        return "unknown"
    given = ip_address(client)
    if isinstance(given, IPv6Address):
        return str(IPv6Network((given, SITE), strict=False))
    return str(given)


def _plain(text: str) -> str | None:
    try:
        return str(ip_address(text.strip()))
    except ValueError:
        return None


def _is_in(host: str, networks: Networks) -> bool:
    plain = _plain(host)
    return plain is not None and any(ip_address(plain) in one for one in networks)
