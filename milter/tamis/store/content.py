"""What the body of a stored ticket says that stands in other columns, too, to be found by."""

from __future__ import annotations

import json
from dataclasses import dataclass

from tamis.store.pseudonyms import is_pseudonymous


@dataclass(frozen=True, slots=True)
class Content:
    """Where a ticket is found."""

    id: str
    message_id: str | None
    accounts: frozenset[str]
    is_pseudonymous: bool


def read(body: bytes) -> Content | None:
    """Return what a body says; None where it is not as we write them."""
    try:
        value = json.loads(body)
        named = [value["sender_account"], *(one["account"] for one in value["recipients"])]
        accounts = frozenset(one for one in named if one is not None)
        found = Content(value["id"], value["message_id"], accounts, is_pseudonymous(value))
        "".join((found.id, found.message_id or "", *found.accounts)).encode()  # half a character is no text
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return found
