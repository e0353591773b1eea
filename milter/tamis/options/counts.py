"""What the web page counts of itself, for Prometheus, and the socket at which it is told with the rest."""

from __future__ import annotations

import contextlib
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tamis import prometheus

ANSWERS = "tamis_options_requests_total"
ABOUT_ANSWERS = "Requests to the web page and its API by the HTTP status that was answered."
DURATION = "tamis_options_request_duration_seconds"
ABOUT_DURATION = "Time from a request to the beginning of its answer."
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)  # upper bounds
KIND = b"text/plain; version=0.0.4; charset=utf-8"  # prometheus.io, Exposition formats


class Counts:
    """The numbers, since the start."""

    def __init__(self) -> None:
        self._answers: Counter[int] = Counter()
        self._buckets = [0] * (len(SECONDS) + 1)
        self._seconds = 0.0

    def answered(self, status: int, seconds: float) -> None:
        """Count an answer."""
        self._answers[status] += 1
        self._buckets[bisect_left(SECONDS, seconds)] += 1
        self._seconds += seconds

    def exposition(self) -> str:
        """Return them in the text exposition format."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield from (f"# HELP {ANSWERS} {ABOUT_ANSWERS}", f"# TYPE {ANSWERS} counter")
        for status, number in sorted(self._answers.items()):
            yield prometheus.line(ANSWERS, ("status",), (str(status),), number)
        yield from (f"# HELP {DURATION} {ABOUT_DURATION}", f"# TYPE {DURATION} histogram")
        counts = list(accumulate(self._buckets))
        for bound, count in zip((*map(prometheus.shown, SECONDS), "+Inf"), counts, strict=True):
            yield prometheus.line(f"{DURATION}_bucket", ("le",), (bound,), count)
        yield prometheus.line(f"{DURATION}_sum", (), (), self._seconds)
        yield prometheus.line(f"{DURATION}_count", (), (), counts[-1])


class Counted:
    """An application whose answers are counted."""

    def __init__(self, app: ASGIApp, counts: Counts) -> None:
        self._app = app
        self._counts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        begun = time.monotonic()

        async def sender(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._counts.answered(message["status"], time.monotonic() - begun)
            await send(message)

        await self._app(scope, receive, sender)


class Told:
    """Tells them, whatever is asked, with what `tamis serve` and `tamis purge` have written."""

    def __init__(self, counts: Counts, files: Callable[[], Sequence[Path]]) -> None:
        self._counts = counts
        self._files = files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        text = self._counts.exposition() + "".join(self._written())
        headers = [(b"content-type", KIND)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": text.encode()})

    def _written(self) -> Iterator[str]:
        for file in self._files():
            with contextlib.suppress(OSError, ValueError):
                yield file.read_text(encoding="ascii")
