"""Addresses as they are typed on the command line."""

from __future__ import annotations

import re

ADDRESS = re.compile(r'[^\s@,;<>"()]+@[^\s@,;<>"()]+')
LONGEST = 254  # octets of an address (RFC 5321 section 4.5.3.1.3, less the angle brackets)


class WrongUse(Exception):
    """What was asked for cannot be done; nothing has changed."""


def address(given: str) -> str:
    """Return an address in lower case; raise WrongUse."""
    found = given.strip().lower()
    if not ADDRESS.fullmatch(found) or len(found.encode()) > LONGEST:
        raise WrongUse(f'expected an address such as anna@example.org, got "{given}"')
    return found


def name(given: str) -> str:
    """Return an address or "@domain" in lower case; raise WrongUse."""
    if given.strip().startswith("@"):
        return address("x" + given.strip())[1:]
    return address(given)
