"""How an installation knows again what it handed on itself: by a key that nobody else has."""

from __future__ import annotations

import hashlib
import hmac

from tamis.message import Message

# What the key signs here, and nowhere else.
PURPOSE = b"tamis resend 1"
COPY = b"tamis copy 1"
LENGTH = 32  # hexadecimal digits, 128 bits: nobody guesses it; with the prefix below a label's 63 (RFC 1035)


def guard_name(key: bytes) -> str:
    """Return the name for EHLO: the same for all that share a key, and no host's (RFC 6761 section 6.4)."""
    digest = hmac.new(key, PURPOSE, hashlib.sha256).hexdigest()
    return f"tamis-{digest[:LENGTH]}.invalid"


def copy_key(key: bytes, message: Message, recipient: str) -> bytes:
    """Return by what a copy for one recipient is known again when the MTA tries the message anew, 32 octets.

    It is a keyed hash of MAIL FROM, the recipient's address and all octets of fields and body as received,
    which are hashed once for all recipients. The MTA's own Received field, which is another one each time, is
    not among them: neither Postfix nor Sendmail shows it to a milter. A Message-ID or Date that Postfix adds
    where it is missing is among them, so that such a message is another one each time.

    Raises ValueError for a message that is not whole: others may begin in the same way.
    """
    if message.omitted:
        raise ValueError("the message is not whole")
    digest = hmac.new(key, COPY, hashlib.sha256)
    for text in (message.envelope.mail_from, recipient):
        octets = text.encode("utf-8", "surrogateescape")
        digest.update(len(octets).to_bytes(8) + octets)
    digest.update(message.fingerprint)
    return digest.digest()
