"""Addresses as they are typed on the command line."""

from __future__ import annotations

from tamis.accounts import plain


class WrongUse(Exception):
    """What was asked for cannot be done; nothing has changed."""


def address(given: str) -> str:
    """Return an address in lower case; raise WrongUse."""
    found = plain(given)
    if found is None:
        raise WrongUse(f'expected an address such as anna@example.org, got "{given}"')
    return found


def name(given: str) -> str:
    """Return an address or "@domain" in lower case; raise WrongUse."""
    if given.strip().startswith("@"):
        return address("x" + given.strip())[1:]
    return address(given)
