"""Rules about links and addresses of the web."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tamis.checks.rules.brands import brand_of
from tamis.checks.rules.facts import Facts, Url, site
from tamis.finding import Rule

RULES = (
    Rule("LINK_TEXT_MISMATCH", "A link shows the address of one site and leads to another.", 2.0),
    Rule("LINK_IP_ADDRESS", "A link leads to an IP address.", 2.5),
    Rule("LINK_ENCODED_HOST", "The host of a link is written so that a reader cannot read it.", 2.5),
    Rule("LINK_PUNYCODE", "A link leads to an internationalised host.", 1.5),
    Rule("LINK_SHORTENER", "A link goes through a URL shortener.", 1.0),
    Rule("LINK_USERINFO", "A link has a user name before its host.", 2.5),
    Rule("LINK_ODD_PORT", "A link leads to an unusual port.", 1.0),
    Rule("LINK_CHEAP_DOMAIN", "A link leads to a top-level domain where names cost next to nothing.", 1.5),
    Rule("LINK_FREE_HOSTING", "A link leads to a free host for pages, files or forms.", 1.5),
    Rule("LINK_BRAND_HOST", "A link's host bears a known firm's name in another's domain.", 2.0),
    Rule("LINK_RANDOM_HOST", "A link's host looks random or has very many labels.", 1.0),
    Rule("LINK_REDIRECT", "A link carries another web address as its parameter.", 0.7),
    Rule("LINK_NAMES_RECIPIENT", "A link carries the recipient's address.", 1.0),
    Rule("LINK_SCRIPT", "A link holds a script or a document instead of an address.", 2.0),
    Rule("LINK_FOREIGN", "No link leads to the author's site.", 0.5),
    Rule("LINK_ONE_SITE", "Several links lead to one and the same site, which is not the author's.", 0.7),
    Rule("LINK_HTTP_ONLY", "Every link is without TLS.", 0.3),
)

SHORTENERS = frozenset(
    "bit.ly goo.gl t.co tinyurl.com ow.ly is.gd buff.ly rb.gy cutt.ly rebrand.ly shorturl.at t.ly v.gd tiny.cc "
    "bl.ink lnkd.in s.id qrco.de soo.gd clck.ru u.to x.co adf.ly tr.im snipurl.com l.ead.me urlz.fr tinyurl.ru "
    "n9.cl acortar.link encurtador.com.br kutt.it surl.li dub.sh urlzs.com bitly.com".split()
)
CHEAP = frozenset(
    "xyz top icu club online site shop store live buzz click link work monster cfd sbs rest bond quest fun space "
    "website tk ml ga cf gq info biz pw cam loan win bid stream download racing date review trade party science "
    "life world today rocks lol hair skin makeup beauty autos boats mom zip mov ru su cyou fit uno best".split()
)
HOSTING = (
    "web.app", "firebaseapp.com", "blogspot.com", "weebly.com", "wixsite.com", "github.io", "pages.dev",
    "workers.dev", "r2.dev", "netlify.app", "vercel.app", "herokuapp.com", "glitch.me", "repl.co", "ipfs.io",
    "dweb.link", "storage.googleapis.com", "googleapis.com", "docs.google.com", "forms.gle", "sites.google.com",
    "windows.net", "azurewebsites.net", "azureedge.net", "cloudfront.net", "amazonaws.com", "digitaloceanspaces.com",
    "backblazeb2.com", "linodeobjects.com", "godaddysites.com", "square.site", "myshopify.com", "typeform.com",
    "jotform.com", "000webhostapp.com", "wordpress.com", "webflow.io", "framer.app", "geocities.com", "tripod.com",
    "angelfire.com", "duckdns.org", "ngrok.io", "trycloudflare.com", "translate.goog", "surge.sh", "fly.dev",
    "onrender.com", "formstack.com", "canva.site", "notion.site", "gitbook.io", "wcomhost.com",
)  # fmt: skip
HOSTED = re.compile(r"(?:^|\.)(?:" + "|".join(map(re.escape, HOSTING)) + r")$")
IP_ADDRESS = re.compile(r"^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.]+\])$")
NUMBER_HOST = re.compile(r"^(?:0x[0-9a-f]+|\d{6,})(?:\.(?:0x[0-9a-f]+|\d+))*$")
SHOWN_HOST = re.compile(r"^\s*(?:https?://)?((?:[a-z0-9-]{1,63}\.)+[a-z]{2,24})(?:[/:?#]\S*)?\s*$", re.I)
PORT = re.compile(r":(\d+)$")
RANDOM = re.compile(r"[bcdfghjklmnpqrstvwxz]{6,}|\d{4,}|(?:[a-z]+\d+){3,}|(?:[^.]*\.){5,}|[a-z0-9-]{28,}\.")
INNER = re.compile(r"[?&=][^#]*=?https?(?:://|%3a%2f%2f)", re.I)
SCRIPT = re.compile(r"^\s*(?:javascript|data|vbscript|file):", re.I)
MAX_HOSTS = 24  # different hosts that are looked at


def find(facts: Facts) -> Iterator[str]:
    """Yield the names of the rules that a message meets."""
    urls = facts.urls
    if not urls:
        return
    found: set[str] = set()
    for one in urls:
        found.update(_target(one))
    found.update(_recipient(facts))
    for host in sorted(facts.hosts)[:MAX_HOSTS]:
        found.update(_host(host))
    found.update(_together(facts))
    yield from found


def _target(one: Url) -> Iterator[str]:
    if one.authority:
        if "@" in one.authority:
            yield "LINK_USERINFO"
        if "%" in one.authority or NUMBER_HOST.match(one.host):
            yield "LINK_ENCODED_HOST"
        port = PORT.search(one.authority)
        if port and port[1] not in ("80", "443"):
            yield "LINK_ODD_PORT"
        if "http" in one.target[8:].lower() and INNER.search(one.target[8:2048]):
            yield "LINK_REDIRECT"
        shown = SHOWN_HOST.match(one.shown) if "." in one.shown else None
        if shown and site(shown[1].lower()) != site(one.host):
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
    if brand_of(host.replace("-", " ").replace(".", " "), domain):
        yield "LINK_BRAND_HOST"


def _recipient(facts: Facts) -> Iterator[str]:
    if not facts.recipients:
        return
    targets = "\n".join(one.target for one in facts.urls if one.authority).lower().replace("%40", "@")
    if any(address and address in targets for address in facts.recipients):
        yield "LINK_NAMES_RECIPIENT"


def _together(facts: Facts) -> Iterator[str]:
    web = [one for one in facts.urls if one.host]
    if not web:
        return
    sites = {site(one.host) for one in web}
    own = site(facts.from_domain)
    if own not in sites:
        yield "LINK_FOREIGN"
        if len(web) >= 3 and len(sites) == 1:
            yield "LINK_ONE_SITE"
    if not any(one.target[:6].lower() == "https:" for one in web):
        yield "LINK_HTTP_ONLY"
