"""What browsers hold, and what stands for it in the store and in forms: keyed hashes."""

from __future__ import annotations

import base64
import hmac
import os

LENGTH = 32  # octets, beyond guessing
PROGRAM = "tamis_"  # before programs' tokens, so that one is known for what it is wherever it leaks to


def new_token() -> bytes:
    """Return random octets for a browser to hold."""
    return os.urandom(LENGTH)


def written(octets: bytes) -> str:
    """Return octets as they stand in cookies and forms (RFC 4648 section 5, without padding)."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def read(text: str) -> bytes | None:
    """Return the octets of a token as it is written, None for anything else."""
    try:
        octets = base64.b64decode(text.encode("ascii") + b"=", altchars=b"-_", validate=True)
    except ValueError:
        return None
    return octets if len(octets) == LENGTH and written(octets) == text else None


def program(octets: bytes) -> str:
    """Return a program's token as it is written."""
    return PROGRAM + written(octets)


def read_program(text: str) -> bytes | None:
    """Return the octets of a program's token as it is written, None for anything else."""
    return read(text.removeprefix(PROGRAM)) if text.startswith(PROGRAM) else None


class Keys:
    """Hashes under the store's key, different ones for each purpose (HMAC, RFC 2104, with SHA-256)."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def session(self, token: bytes) -> bytes:
        """Return what stands for a browser's token in the store."""
        return self._hash(b"session", token)

    def program(self, token: bytes) -> bytes:
        """Return what stands for a program's token in the store."""
        return self._hash(b"program", token)

    def operator(self, token: bytes) -> bytes:
        """Return what stands in the store for the token of an operator's browser."""
        return self._hash(b"operator", token)

    def form(self, token: bytes) -> str:
        """Return what each form holds that a browser gets: nobody else can know it."""
        return written(self._hash(b"form", token))

    def is_form(self, token: bytes, given: str) -> bool:
        """Tell whether a form was made for the browser that sends it."""
        return hmac.compare_digest(self.form(token).encode(), given.encode())

    def _hash(self, purpose: bytes, octets: bytes) -> bytes:
        return hmac.digest(self._key, purpose + b"\0" + octets, "sha256")
