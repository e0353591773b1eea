"""What trusted verifiers in front of us say of the From domain (RFC 8601, RFC 7489 section 3.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tamis.finding import Authentication

COMMENT = re.compile(r"\([^()]*\)")
RESULT = re.compile(r"\s*(?P<method>[a-z0-9-]+)\s*=\s*(?P<result>[a-z]+)(?P<properties>.*)", re.S | re.I)
PROPERTY = re.compile(r'([a-z0-9.-]+)\s*=\s*"?([^\s";]+)', re.I)
IDENTITIES = {"dkim": ("header.d", "header.i"), "spf": ("smtp.mailfrom",)}


def authentication(values: Iterable[bytes], trusted: frozenset[str], from_domain: str) -> Authentication:
    """Return whether the From domain is proven, from Authentication-Results of trusted authserv-ids.

    A DMARC result decides; else an aligned (same or parent domain) SPF or DKIM pass proves it, and results
    without one tell against it. from_domain is lower case.
    """
    known = False
    proven = False
    for value in values:
        text = COMMENT.sub(" ", value.decode("utf-8", "replace"))
        head, *results = text.split(";")
        words = head.split()
        if not words or words[0].strip('"').lower() not in trusted:
            continue
        for one in results:
            match = RESULT.match(one)
            if match is None:
                continue
            method, result = match["method"].lower(), match["result"].lower()
            if method == "dmarc" and result in ("pass", "fail"):
                return Authentication.PASSED if result == "pass" else Authentication.FAILED
            if method in IDENTITIES:
                known = True
                proven = proven or (result == "pass" and _aligned(method, match["properties"], from_domain))
    if not known:
        return Authentication.UNKNOWN
    return Authentication.PASSED if proven else Authentication.FAILED


def _aligned(method: str, properties: str, from_domain: str) -> bool:
    for name, value in PROPERTY.findall(properties):
        if name.lower() in IDENTITIES[method]:
            domain = value.rpartition("@")[2].lower()
            if _related(domain, from_domain) or _related(from_domain, domain):
                return True
    return False


def _related(domain: str, parent: str) -> bool:
    """Tell whether a domain is a parent domain or below it; relaxed alignment without a suffix list."""
    return domain == parent or ("." in parent and domain.endswith("." + parent))
