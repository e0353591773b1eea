"""Rules about links and addresses of the web."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tamis.checks.rules.brands import brand_in_host
from tamis.checks.rules.domains import CHEAP, HOSTING, SHORTENERS
from tamis.checks.rules.facts import Facts, Url, site
from tamis.finding import Rule

RULES = (
    Rule(
        "LINK_TEXT_MISMATCH",
        "A link shows the address of one site and leads to another, which is not the author's.",
        2.0,
    ),
    Rule("LINK_IP_ADDRESS", "A link leads to an IP address.", 2.5),
    Rule("LINK_ENCODED_HOST", "The host of a link is written so that a reader cannot read it.", 2.5),
    Rule("LINK_PUNYCODE", "A link leads to a host whose name is written in letters beyond ASCII.", 1.5),
    Rule("LINK_SHORTENER", "A link goes through a URL shortener.", 1.0),
    Rule("LINK_USERINFO", "A link has a user name before its host.", 2.5),
    Rule("LINK_ODD_PORT", "A link leads to an unusual port.", 1.0),
    Rule("LINK_CHEAP_DOMAIN", "A link leads to a domain's ending where names cost next to nothing.", 1.5),
    Rule("LINK_FREE_HOSTING", "A link leads to a free host for pages, files or forms.", 1.5),
    Rule("LINK_BRAND_HOST", "A link's host bears a known firm's name in another's domain.", 2.0),
    Rule("LINK_RANDOM_HOST", "A link's host looks random.", 1.0),
    Rule("LINK_REDIRECT", "A link carries another web address as its parameter.", 0.7),
    Rule("LINK_NAMES_RECIPIENT", "A link carries the recipient's address.", 0.5),
    Rule("LINK_SCRIPT", "A link holds a script or a document instead of an address.", 2.0),
    Rule("LINK_FOREIGN", "No link of an HTML text leads to the author's site.", 0.5),
)

HOSTED = re.compile(r"(?:^|\.)(?:" + "|".join(map(re.escape, sorted(HOSTING))) + r")$")
IP_ADDRESS = re.compile(r"^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.]+\])$")
NUMBER_HOST = re.compile(r"^(?:0x[0-9a-f]+|\d{6,})(?:\.(?:0x[0-9a-f]+|\d+))*$")
SHOWN_HOST = re.compile(r"^\s*(?:https?://)?((?:[a-z0-9-]{1,63}\.)+[a-z]{2,24})(?:[/:?#]\S*)?\s*$", re.I)
PORT = re.compile(r":(\d+)$")
RANDOM = re.compile(r"[bcdfghjklmnpqrstvwxz]{6,}|(?:[a-z]+\d+){3,}|[a-z0-9-]{28,}\.")
# From the start, or from what follows "#" on: an address may hold thousands of "?" and "=".
INNER = re.compile(r"(?:^|#)[^#?&=]*[?&=][^#]*https?(?:://|%3a%2f%2f)", re.I)
SCRIPT = re.compile(r"^\s*(?:javascript|data|vbscript|file):", re.I)
MAX_HOSTS = 24  # different hosts that are looked at


def find(facts: Facts) -> Iterator[str]:
    """Yield the names of the rules that a message meets."""
    urls = facts.urls
    if not urls:
        return
    found: set[str] = set()
    own = site(facts.from_domain)
    for one in urls:
        found.update(_target(one, own))
    found.update(_recipient(facts))
    for host in sorted(facts.hosts)[:MAX_HOSTS]:
        found.update(_host(host))
    found.update(_together(facts))
    yield from found


def _target(one: Url, own: str) -> Iterator[str]:
    if one.authority:
        if "@" in one.authority:
            yield "LINK_USERINFO"
        if "%" in one.authority or (one.host[:1].isdigit() and NUMBER_HOST.match(one.host)):
            yield "LINK_ENCODED_HOST"
        port = PORT.search(one.authority) if ":" in one.authority else None
        if port and port[1] not in ("80", "443"):
            yield "LINK_ODD_PORT"
        if "http" in one.target[8:].lower() and INNER.search(one.target[8:2048]):
            yield "LINK_REDIRECT"
        shown = SHOWN_HOST.match(one.shown) if "." in one.shown else None
        if shown and site(one.host) not in (site(shown[1].lower()), own):
            yield "LINK_TEXT_MISMATCH"
    elif SCRIPT.match(one.target[:64]):
        yield "LINK_SCRIPT"


def _host(host: str) -> Iterator[str]:
    if IP_ADDRESS.match(host):
        yield "LINK_IP_ADDRESS"
        return
    domain = site(host)
    if "xn--" in host or not host.isascii():
        yield "LINK_PUNYCODE"
    if domain in SHORTENERS or host in SHORTENERS:
        yield "LINK_SHORTENER"
    if host.rpartition(".")[2] in CHEAP:
        yield "LINK_CHEAP_DOMAIN"
    if HOSTED.search(host):
        yield "LINK_FREE_HOSTING"
    if RANDOM.search(host):
        yield "LINK_RANDOM_HOST"
    if brand_in_host(host, domain):
        yield "LINK_BRAND_HOST"


def _recipient(facts: Facts) -> Iterator[str]:
    if not facts.recipients:
        return
    targets = "\n".join(one.target for one in facts.urls if one.authority).lower().replace("%40", "@")
    if any(address and address in targets for address in facts.recipients):
        yield "LINK_NAMES_RECIPIENT"


def _together(facts: Facts) -> Iterator[str]:
    sites = {site(host) for host in facts.hosts}
    if sites and facts.content.documents and site(facts.from_domain) not in sites:
        yield "LINK_FOREIGN"
