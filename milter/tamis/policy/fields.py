"""Header fields of our names that a message may not bring along."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tamis.message import HeaderField

OURS = frozenset(
    (
        b"x-virus-scanned",
        b"x-virus-status",
        b"x-spam-flag",
        b"x-spam-score",
        b"x-spam-level",
        b"x-spam-status",
        b"x-graymail",
    )
)
RESULTS = b"authentication-results"
COMMENT = re.compile(rb"\([^()]*\)")


def authserv_id(value: bytes) -> str:
    """Return the authserv-id of an Authentication-Results field, lower case (RFC 8601 section 2.5)."""
    before = COMMENT.sub(b" ", value).partition(b";")[0].split()
    return before[0].strip(b'"').decode("ascii", "replace").lower() if before else ""


def forged(fields: Sequence[HeaderField], own_id: str) -> tuple[tuple[str, int], ...]:
    """Return name and 1-based occurrence of the fields to remove, last first.

    own_id is our authserv-id: results under it that came in from outside are forged (RFC 8601 section 5).
    """
    found: list[tuple[str, int]] = []
    count: dict[bytes, int] = {}
    for name, value in fields:
        key = name.lower()
        if key in OURS:
            count[key] = count.get(key, 0) + 1
        elif key == RESULTS:
            count[key] = count.get(key, 0) + 1
            if not own_id or authserv_id(value) != own_id.lower():
                continue
        else:
            continue
        found.append((name.decode("ascii"), count[key]))
    return tuple(reversed(found))
