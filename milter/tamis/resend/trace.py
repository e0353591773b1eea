"""The trace field of copies, for that which the MTA writes and shows no milter (RFC 5321 section 4.4)."""

from __future__ import annotations

import re
from datetime import datetime
from email.utils import format_datetime

from tamis.message import Envelope

WORD = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}")  # host names, address literals and queue IDs, as they come
UNKNOWN = "unknown"


def received(envelope: Envelope, now: datetime) -> tuple[str, str]:
    """Return the field that says which client brought a message, when, and as what the MTA knows it.

    now is aware of its time zone.
    """
    client = (
        f"{_word(envelope.helo)} ({_word(envelope.client_name)} [{_word(envelope.client_ip or UNKNOWN)}])"
    )
    here = f"by {_word(envelope.mta_name)} with ESMTP id {_word(envelope.queue_id or UNKNOWN)}"
    return "Received", f"from {client}\n\t{here};\n\t{format_datetime(now)}"


def _word(text: str) -> str:
    """Return a text that can break neither the field nor a comment in it, or "unknown"."""
    return text if WORD.fullmatch(text) else UNKNOWN
