"""One-time links by which a webmail signs its users in: HMAC-SHA256 under a shared key (docs/options.md)."""

from __future__ import annotations

import hmac
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tamis.webpage import Link

FORMAT = "tamis-link-1"
NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}")
SHORTEST = 32  # octets of a key (RFC 2104 section 3: as many as the hash has)


class LinkRefused(Exception):
    """The link does not sign anybody in; the text is for the log."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a link that is genuine says."""

    address: str
    expires: int  # Unix ms
    mark: bytes  # what it is known by once it is used


class Links:
    """Knows the key."""

    def __init__(self, key: bytes, lifetime: float) -> None:
        self._key = key
        self._lifetime = round(lifetime)

    @classmethod
    def of(cls, settings: Link) -> Links:
        """Return those of the configuration; raise ValueError for a key file that will not do."""
        path = Path(settings.key_file)
        try:
            mode = path.stat().st_mode
            key = path.read_bytes().strip()
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error.strerror}") from None
        if mode & stat.S_IRWXO:
            raise ValueError(f"{path} is open to all users of this host: chmod 640")
        if len(key) < SHORTEST:
            raise ValueError(f"expected a key of {SHORTEST} octets or more in {path}")
        return cls(key, settings.lifetime)

    def check(self, asked: Mapping[str, str], now: int) -> Claim:
        """Return what a link's parameters say at a Unix time in ms; raise LinkRefused."""
        address, expires, nonce = (asked.get(one, "") for one in ("address", "expires", "nonce"))
        wanted = self.signature(address, expires, nonce)
        if not hmac.compare_digest(wanted.encode(), asked.get("signature", "").lower().encode()):
            raise LinkRefused("signature")
        if not NONCE.fullmatch(nonce):
            raise LinkRefused("nonce")
        if not re.fullmatch(r"[0-9]{1,11}", expires):
            raise LinkRefused("expires")
        left = int(expires) - now / 1000
        if left <= 0:
            raise LinkRefused("expired")
        if left > self._lifetime:
            raise LinkRefused("expires later than options.link.lifetime")
        return Claim(address.strip().lower(), int(expires) * 1000, bytes.fromhex(wanted))

    def signature(self, address: str, expires: str, nonce: str) -> str:
        """Return the hexadecimal signature of a link."""
        signed = "\n".join((FORMAT, address, expires, nonce)).encode(errors="replace")
        return hmac.digest(self._key, signed, "sha256").hex()
