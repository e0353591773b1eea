"""Lets people in by their passwords: few at once, not too often, and telling nobody who has an account."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tamis.options.attempts import MINUTE, Attempts
from tamis.options.imap import Mailboxes
from tamis.passwords import LONGEST, Passwords

Result = TypeVar("Result")

SPAN = 15 * MINUTE
OF_AN_ACCOUNT = 10  # attempts in a span, by whoever makes them
OF_ALL_NAMES = 30  # attempts at an account in a span, by whatever addresses lead to it
OF_A_CLIENT = 50  # many people may share an address
AT_ONCE = 2  # passwords that are verified or hashed at once, each with 64 MiB
ASKED_AT_ONCE = 8  # passwords that the IMAP server is asked about at once
WAITING = 50  # passwords that wait for all that


class TooMany(Exception):
    """There were too many attempts; the next may be made after some milliseconds."""

    def __init__(self, wait: int) -> None:
        super().__init__(f"{wait} ms")
        self.wait = wait


class Doorkeeper:
    """Counts attempts, and verifies passwords in threads of its own: local ones, and those of mailboxes."""

    def __init__(self, passwords: Passwords | None, mailboxes: Mailboxes | None) -> None:
        self._passwords = passwords
        self._mailboxes = mailboxes
        self._accounts = Attempts(OF_AN_ACCOUNT, SPAN)
        self._behind = Attempts(OF_ALL_NAMES, SPAN)
        self._clients = Attempts(OF_A_CLIENT, SPAN)
        self._verifying = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="passwords")
        self._asking = ThreadPoolExecutor(ASKED_AT_ONCE, thread_name_prefix="imap")
        self._waiting = 0

    @property
    def is_at_work(self) -> bool:
        """Whether anybody signs in by a password."""
        return self._passwords is not None or self._mailboxes is not None

    def admit(self, typed: str, client: str, *, now: int) -> None:
        """Count an attempt to sign in to an address, as it is typed, from a client; raise TooMany."""
        if self._waiting >= WAITING:  # which is no attempt of his
            raise TooMany(MINUTE)
        wait = self._clients.wait(client, now) or self._accounts.wait(typed, now)
        if wait:
            raise TooMany(wait)

    def is_spent(self, account: str, *, now: int) -> bool:
        """Count an attempt at an account, by whatever address; tell whether no password counts for now.

        Who tries is not told so, but that it is wrong: else he knew which addresses are one account's.
        """
        return self._behind.wait(account, now) > 0

    def succeeded(self, typed: str, client: str, *, account: str = "") -> None:
        """Forget the attempts to sign in to an address, and of the client's this one alone.

        Else who has one account could try at others as often as he likes.
        """
        self._accounts.forget(typed)
        self._behind.forget(account)
        self._clients.give_back(client)

    async def verify(self, account: str, digest: str | None, password: str) -> bool:
        """Tell whether a password is the one of a hash, or of an account's mailbox; raise ImapUnavailable.

        No hash takes as long as another one. "" is no account, of which no server is asked.
        """
        if len(password.encode(errors="replace")) > LONGEST:
            return False
        self._waiting += 1
        try:
            return await self._is_local(digest, password) or await self._is_of_mailbox(account, password)
        finally:
            self._waiting -= 1

    async def hash(self, password: str) -> str:
        """Return the hash of a new local password, where there are such ones."""
        passwords = self._passwords
        assert passwords is not None  # noqa: S101  # who has none can set none
        self._waiting += 1
        try:
            return await _in(self._verifying, lambda: passwords.hash(password))
        finally:
            self._waiting -= 1

    async def _is_local(self, digest: str | None, password: str) -> bool:
        passwords = self._passwords
        return passwords is not None and await _in(
            self._verifying, lambda: passwords.verify(digest, password)
        )

    async def _is_of_mailbox(self, account: str, password: str) -> bool:
        mailboxes = self._mailboxes if account else None
        return mailboxes is not None and await _in(self._asking, lambda: mailboxes.accepts(account, password))

    def close(self) -> None:
        """Wait for what has begun."""
        for one in (self._verifying, self._asking):
            one.shutdown(cancel_futures=True)


async def _in(threads: ThreadPoolExecutor, work: Callable[[], Result]) -> Result:
    return await asyncio.get_running_loop().run_in_executor(threads, work)
