"""How a worker leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from tamis.config import Milter
from tamis.front.stream import Stream
from tamis.service.worker import LOOKS, last_connection


class Seen(Stream):
    """A front whose connections are counted beforehand, look by look."""

    def __init__(self, *numbers: int) -> None:
        super().__init__(Milter())
        self.left: Iterator[int] = iter(numbers)

    @property
    def connections(self) -> int:
        """Connections that are open."""
        return next(self.left)


def test_worn_worker_waits_for_a_connection_that_is_taken_as_it_leaves() -> None:
    front = Seen(0, 0, 1, 1, *[0] * LOOKS)

    asyncio.run(last_connection(front))

    assert list(front.left) == []
