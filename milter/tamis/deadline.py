"""The time that a message has."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self


class Deadline:
    """What asyncio.timeout() is, in less than half of its time: each message has one.

    A block that takes longer than so many seconds is cancelled and ends in TimeoutError.
    """

    __slots__ = ("_before", "_has_passed", "_seconds", "_task", "_timer")

    _task: asyncio.Task[object]

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._has_passed = False

    def __enter__(self) -> Self:
        """Begin to count, in a task."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("there is a deadline in tasks only")
        self._task = task
        self._before = task.cancelling()
        self._timer = task.get_loop().call_later(self._seconds, self._pass)
        return self

    def lift(self) -> None:
        """Let the block take its time from now on."""
        self._timer.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Count no more; raise TimeoutError where the block was cancelled for its time alone."""
        self._timer.cancel()
        if self._has_passed and self._task.uncancel() <= self._before and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _pass(self) -> None:
        self._has_passed = True
        self._task.cancel()
