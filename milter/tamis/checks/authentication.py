"""What trusted verifiers in front of us say of the From domain (RFC 8601, RFC 7489 section 3.1)."""

from __future__ import annotations

from collections.abc import Iterable

from tamis import authres
from tamis.authres import Result
from tamis.finding import Authentication

IDENTITIES = {"dkim": ("header.d", "header.i"), "spf": ("smtp.mailfrom",)}


def authentication(values: Iterable[bytes], trusted: frozenset[str], from_domain: str) -> Authentication:
    """Return whether the From domain is proven, from Authentication-Results of trusted authserv-ids.

    A DMARC result decides; else an aligned (same or parent domain) SPF or DKIM pass proves it, and results
    without one tell against it. trusted and from_domain are lower case.
    """
    known = False
    proven = False
    for value in values:
        name, results = authres.parse(value)
        if name not in trusted:
            continue
        for one in results:
            if one.method == "dmarc" and one.result in ("pass", "fail") and _about(one, from_domain):
                return Authentication.PASSED if one.result == "pass" else Authentication.FAILED
            if one.method in IDENTITIES:
                known = True
                proven = proven or (one.result == "pass" and _aligned(one, from_domain))
    if not known:
        return Authentication.UNKNOWN
    return Authentication.PASSED if proven else Authentication.FAILED


def _about(result: Result, from_domain: str) -> bool:
    """Tell whether a DMARC result is about this From domain, and not about that of an earlier message."""
    return all(name != "header.from" or value.lower() == from_domain for name, value in result.properties)


def _aligned(result: Result, from_domain: str) -> bool:
    for name, value in result.properties:
        if name in IDENTITIES[result.method]:
            domain = value.rpartition("@")[2].strip("<>").lower()
            if _related(domain, from_domain) or _related(from_domain, domain):
                return True
    return False


def _related(domain: str, parent: str) -> bool:
    """Tell whether a domain is a parent domain or below it; relaxed alignment without a suffix list."""
    return domain == parent or ("." in parent and domain.endswith("." + parent))
