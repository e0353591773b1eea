"""Header fields of our names that a message may not bring along."""

from __future__ import annotations

from collections.abc import Sequence

from tamis.authres import MAX_FIELDS, RESULTS, authserv_id
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
MAX_REMOVED = 1000  # fields; for each Postfix reads from the top again: 1,000 take it 50 ms, 10,000 3.4 s


def forged(fields: Sequence[HeaderField], own_id: str) -> tuple[tuple[str, int], ...]:
    """Return name and 1-based occurrence of the fields to remove, last first.

    own_id is our authserv-id: results under it that came in from outside are forged (RFC 8601 section 5).
    So are those of which it takes long to tell, as no verifier writes them.
    """
    found: list[tuple[str, int]] = []
    count: dict[bytes, int] = {}
    for name, value in fields:
        name = name.rstrip(b" \t")  # "X-Spam-Flag : YES" counts for the MTA, too (RFC 5322 section 4.5)
        key = name.lower()
        if key in OURS:
            count[key] = count.get(key, 0) + 1
        elif key == RESULTS:
            count[key] = count.get(key, 0) + 1
            if not own_id or (count[key] <= MAX_FIELDS and authserv_id(value) not in (own_id.lower(), None)):
                continue
        else:
            continue
        found.append((name.decode("ascii"), count[key]))
    return tuple(reversed(found))
