"""Whose address a request comes from, through reverse proxies that are believed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.requests import Request

from tamis.webpage import Options

Networks = Sequence[IPv4Network | IPv6Network]

SITE = 64  # bits of an IPv6 address that one subscriber has at least (RFC 6177)
# Some proxies write the client's port behind its address, in brackets if that has colons (RFC 3986, 3.2.2).
ADDRESS = re.compile(r"\s*(?:\[([^\]]+)\]|([^:]*))(?::[0-9]+)?\s*", re.ASCII)


def is_proxy(request: Request, proxies: Networks) -> bool:
    """Tell whether what a request says of its client is believed: by a unix socket, or from a proxy."""
    return request.client is None or _is_in(request.client.host, proxies)


def address(request: Request, proxies: Networks) -> str | None:
    """Return the client's address, None where nobody tells."""
    peer = _plain(request.client.host) if request.client is not None else None
    if not is_proxy(request, proxies):
        return peer
    # The last one that is no proxy's: those before it are what the client says of itself.
    # Proxies add to the field, or add another one.
    forwarded = ",".join(request.headers.getlist("x-forwarded-for"))
    for one in reversed(forwarded.split(",")):
        given = _plain(_without_port(one))
        if given is None:
            break
        peer = given
        if not _is_in(given, proxies):
            break
    return peer


def named(request: Request, options: Options) -> str:
    """Return whom a reverse proxy that is believed names as signed in to it, "" for nobody."""
    return _named(request, options, options.header.name) if "header" in options.sign_in else ""


def named_operator(request: Request, options: Options) -> str:
    """Return whom it names as an operator, "" for nobody."""
    return _named(request, options, options.header.operator) if options.header.operator else ""


def _named(request: Request, options: Options, field: str) -> str:
    if not is_proxy(request, options.proxies):
        return ""
    found = request.headers.getlist(field)
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


def _without_port(text: str) -> str:
    found = ADDRESS.fullmatch(text)
    return text if found is None else found[1] or found[2]


def _plain(text: str) -> str | None:
    given = _ip(text)
    return None if given is None else str(given)


def _is_in(host: str, networks: Networks) -> bool:
    given = _ip(host)
    return given is not None and any(given in one for one in networks)


def _ip(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address; of IPv4 also where a socket for both names it by IPv6 (RFC 4291 section 2.5.5.2)."""
    try:
        given = ip_address(text.strip())
    except ValueError:
        return None
    mapped = given.ipv4_mapped if isinstance(given, IPv6Address) else None
    return mapped or given
