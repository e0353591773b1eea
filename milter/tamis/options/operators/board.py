"""What many may ask for within seconds: made once, and shown to all with the time as of which it holds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from markupsafe import Markup

FRESH = 5_000  # ms for which it is shown as it was made


class Board:
    """Pieces of HTML by name."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[int, Markup]] = {}
        self._making: dict[str, asyncio.Task[Markup]] = {}

    async def get(self, name: str, make: Callable[[], Awaitable[Markup]], *, now: int) -> Markup:
        """Return a piece, made anew where it is too old; who asks meanwhile waits for the same one."""
        time, made = self._made.get(name, (-FRESH, Markup()))
        if time <= now < time + FRESH:
            return made
        making = self._making.get(name)
        if making is None:
            making = self._making[name] = asyncio.create_task(self._make(name, make, now))
        return await asyncio.shield(making)  # one who goes away takes it from nobody

    async def _make(self, name: str, make: Callable[[], Awaitable[Markup]], now: int) -> Markup:
        try:
            made = await make()
        finally:
            del self._making[name]
        self._made[name] = (now, made)
        return made
