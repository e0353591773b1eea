"""Lets people in by their passwords: few at once, not too often, and telling nobody who has an account."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from tamis.options.attempts import MINUTE, Attempts
from tamis.passwords import LONGEST, Passwords

SPAN = 15 * MINUTE
OF_AN_ACCOUNT = 10  # attempts in a span, by whoever makes them
OF_A_CLIENT = 50  # many people may share an address
AT_ONCE = 2  # passwords that are verified at once, each with 64 MiB
WAITING = 50  # passwords that wait for it; seconds


class TooMany(Exception):
    """There were too many attempts; the next may be made after some milliseconds."""

    def __init__(self, wait: int) -> None:
        super().__init__(f"{wait} ms")
        self.wait = wait


class Doorkeeper:
    """Counts attempts, and verifies passwords in threads of its own."""

    def __init__(self, passwords: Passwords) -> None:
        self._passwords = passwords
        self._accounts = Attempts(OF_AN_ACCOUNT, SPAN)
        self._clients = Attempts(OF_A_CLIENT, SPAN)
        self._executor = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="passwords")
        self._waiting = 0

    def admit(self, typed: str, client: str, *, now: int) -> None:
        """Count an attempt to sign in to an address, as it is typed, from a client; raise TooMany."""
        wait = self._clients.wait(client, now) or self._accounts.wait(typed, now)
        if wait:
            raise TooMany(wait)
        if self._waiting >= WAITING:
            raise TooMany(MINUTE)

    def succeeded(self, typed: str) -> None:
        """Forget the attempts to sign in to an address."""
        self._accounts.forget(typed)

    async def verify(self, digest: str | None, password: str) -> bool:
        """Tell whether a password is the one of a hash; None takes as long."""
        if len(password.encode(errors="replace")) > LONGEST:
            return False
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._executor, self._passwords.verify, digest, password
            )
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Wait for what has begun."""
        self._executor.shutdown(cancel_futures=True)
