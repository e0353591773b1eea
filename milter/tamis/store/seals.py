"""Signatures by the sealing key: Ed25519 (RFC 8032) for chains, keyed hashes for tickets that are gone."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

EPOCH = date(1970, 1, 1)


def name_of(day: int) -> str:
    """Return YYYY-MM-DD of a day since 1970-01-01."""
    try:
        return (EPOCH + timedelta(day)).isoformat()
    except (OverflowError, TypeError):
        return f"day {day}"


@dataclass(frozen=True, slots=True)
class Statement:
    """What is signed of a chain; its str() is the text."""

    chain: int
    day: int  # since 1970-01-01
    tickets: int | None  # also those that are gone; None while open, as the next
    head: bytes | None
    state: str  # sealed, purged

    def __str__(self) -> str:
        head = (self.head or b"").hex()
        return (
            f"chain {self.state} id={self.chain} day={name_of(self.day)} tickets={self.tickets} head={head}"
        )


class Sealer:
    """The sealing key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._proofs = hmac.digest(key, b"tickets gone", "sha256")

    @property
    def public(self) -> str:
        """The public key, in hexadecimal digits."""
        return self._private().public_key().public_bytes_raw().hex()

    def sign(self, statement: Statement) -> bytes:
        """Return a signature."""
        return self._private().sign(str(statement).encode())

    def has_signed(self, statement: Statement, signature: bytes | None) -> bool:
        """Tell whether a signature is ours, of just this."""
        # Ed25519 signs the same with the same.
        return signature is not None and hmac.compare_digest(self.sign(statement), signature)

    def proof(self, chain: int, number: int, leaf: bytes) -> bytes:
        """Return the proof that it was us who removed a ticket."""
        return hmac.digest(self._proofs, f"{chain} {number} ".encode() + leaf, "sha256")

    def _private(self) -> Ed25519PrivateKey:
        # Loaded here, as 7 MB and 13 ms would be much in all workers for what one of them does once a day.
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self._key)
