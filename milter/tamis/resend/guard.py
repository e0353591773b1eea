"""The name by which an installation knows mail that it handed on itself."""

from __future__ import annotations

import hashlib
import hmac

PURPOSE = b"tamis resend 1"  # what the key signs here, and nowhere else
LENGTH = 32  # hexadecimal digits, 128 bits: nobody guesses it; with the prefix below a label's 63 (RFC 1035)


def guard_name(key: bytes) -> str:
    """Return the name for EHLO: the same for all that share a key, and no host's (RFC 6761 section 6.4)."""
    digest = hmac.new(key, PURPOSE, hashlib.sha256).hexdigest()
    return f"tamis-{digest[:LENGTH]}.invalid"
