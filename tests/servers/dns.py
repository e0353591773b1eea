"""A DNS made of one record: the public key of a DKIM signer (RFC 6376 section 3.6.1)."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A selector of a domain, and its key."""

    selector: str
    domain: str
    key: RSAPublicKey

    def look_up(self, name: bytes | str, timeout: float = 5) -> bytes | None:
        """Return the TXT record of a name; the signature of dkimpy's dnsfunc."""
        text = name.decode() if isinstance(name, bytes) else name
        if text.rstrip(".") != f"{self.selector}._domainkey.{self.domain}":
            return None
        octets = self.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return b"v=DKIM1; k=rsa; p=" + base64.b64encode(octets)
