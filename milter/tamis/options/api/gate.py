"""Lets programs in by their tokens, not too often, and tells for which account they ask."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil

from starlette.requests import Request

from tamis.interfaces import StoreUnavailable
from tamis.options import client, keys
from tamis.options.api.problems import Refused
from tamis.options.attempts import MINUTE, Attempts
from tamis.options.pool import Clerk
from tamis.options.site import Site
from tamis.store import api_tokens
from tamis.store.api_tokens import ApiToken, Scope
from tamis.store.changes import USER, WEBMAIL
from tamis.store.owners import Life

log = logging.getLogger(__name__)

ACCOUNT = "tamis-account"  # the header field by which a webmail's server names the account that it acts for
OF_AN_ACCOUNT = 300  # calls in a minute by a token of an account
OF_A_SERVER = 6_000  # by one of a webmail's server, for all of its users
OF_STRANGERS = 60  # from one client without a token that counts
FRESH = 3_600_000  # ms; so often it is written that a token is used, not for each call


@dataclass(frozen=True, slots=True)
class Caller:
    """For whom a program acts."""

    account: str
    actor: str  # as it stands in records of changes
    token: bytes  # the keyed hash of what the program holds
    life: Life | None = None  # the account's, where the token is none that goes with it


class Gate:
    """Counts calls, and finds out who makes them."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._accounts = Attempts(OF_AN_ACCOUNT, MINUTE)
        self._servers = Attempts(OF_A_SERVER, MINUTE)
        self._strangers = Attempts(OF_STRANGERS, MINUTE)

    async def admit(self, request: Request, scope: Scope, *, now: int) -> Caller:
        """Return who makes a call that needs a scope; raise Refused."""
        octets = _held(request)
        token = None
        if octets is not None:
            digest = self._site.keys.program(octets)
            token = await self._site.pool.run(lambda clerk: _token(clerk, digest, now))
        if token is None:
            # Whoever has one that counts is not kept out by others at his address.
            stranger = client.subscriber(client.address(request, self._site.config.options.proxies))
            _check(self._strangers.wait(stranger, now), "calls")
            raise unknown(request)
        calls = self._servers if token.account is None else self._accounts
        _check(calls.wait(token.id, now), "calls")
        if not token.scope.allows(scope):
            raise Refused(HTTPStatus.FORBIDDEN, f"This token may not {scope.value}.")
        caller = await self._caller(request, token)
        if scope is Scope.CHANGE:
            _check(self._site.changes.wait(caller.account, now), "changes, or too long ones")
        return caller

    async def _caller(self, request: Request, token: ApiToken) -> Caller:
        named = _named(request)
        if token.account is not None:
            # Whether another is there is not told to this one.
            if named is not None and named.strip().lower() != token.account:
                raise _no_account()
            return Caller(token.account, USER, token.hash)
        if named is None:
            raise Refused(HTTPStatus.BAD_REQUEST, "Name the account in the header field Tamis-Account.")
        typed = named
        account, life = await self._site.pool.run(lambda clerk: clerk.living(typed))
        if account is None:
            raise _no_account()
        return Caller(account, WEBMAIL + token.name, token.hash, life)


def _named(request: Request) -> str | None:
    found = request.headers.get(ACCOUNT, "").strip()
    # Header fields come as octets, read as Latin-1.
    return found.encode("latin-1").decode(errors="replace") or None


def _held(request: Request) -> bytes | None:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return keys.read_program(token.strip()) if kind.lower() == "bearer" else None


def _token(clerk: Clerk, digest: bytes, now: int) -> ApiToken | None:
    with clerk.database.reading() as connection:
        found = api_tokens.find(connection, digest, now=now)
    if found is not None and (found.used is None or not found.used <= now < found.used + FRESH):
        try:
            with clerk.database.writing() as connection:
                api_tokens.use(connection, digest, now=now)
        except StoreUnavailable as error:  # what only reads is answered all the same
            log.warning("use of a token not noted error=%s", error)
    return found


def _check(wait: int, of_what: str) -> None:
    if wait:
        seconds = ceil(wait / 1000)
        raise Refused(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"Too many {of_what}. Wait {seconds} s.",
            headers={"retry-after": str(seconds)},
        )


def unknown(request: Request) -> Refused:
    """Return the refusal of who shows no token that counts."""
    given = "authorization" in request.headers
    return Refused(
        HTTPStatus.UNAUTHORIZED,
        "This token does not count." if given else "Send a token: Authorization: Bearer tamis_...",
        # RFC 6750 section 3.1: no error code for who has shown nothing.
        headers={"www-authenticate": 'Bearer error="invalid_token"' if given else "Bearer"},
    )


def _no_account() -> Refused:
    return Refused(HTTPStatus.NOT_FOUND, "There is no such account.")
