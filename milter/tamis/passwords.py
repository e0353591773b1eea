"""Local passwords, kept as hashes of argon2id (RFC 9106)."""

from __future__ import annotations

import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST = 12  # characters
LONGEST = 1000  # octets; more would only cost time


class WeakPassword(ValueError):
    """The password is too short or too long."""


def check(password: str) -> None:
    """Raise WeakPassword for one that cannot be set."""
    if len(password) < SHORTEST or len(password.encode()) > LONGEST:
        raise WeakPassword(f"expected {SHORTEST} characters or more, at most {LONGEST} octets")


class Passwords:
    """Makes and verifies hashes; each takes tens of milliseconds and 64 MiB, which is what they are for."""

    def __init__(self, hasher: PasswordHasher) -> None:
        self._hasher = hasher
        self._nobody = hasher.hash("nobody's")

    def hash(self, password: str) -> str:
        """Return the hash of a password, with a salt of its own."""
        return self._hasher.hash(_composed(password))

    def verify(self, digest: str | None, password: str) -> bool:
        """Tell whether a password is the one of a hash; where there is none it takes as long, and is not."""
        try:
            self._hasher.verify(self._nobody if digest is None else digest, _composed(password))
        except (VerificationError, InvalidHashError):
            return False
        return digest is not None


def _composed(password: str) -> str:
    """Return a password as it is hashed: some keyboards give letters and accents apart (RFC 8265, 4.2.1)."""
    return unicodedata.normalize("NFC", password)
