"""Sends the hostile list while honest mail flows, and knows which lines of the log it explains."""

from __future__ import annotations

import random
import re
import socket
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

from tests.hostile import BEYOND_LIBMILTER, CONVERSATIONS, Story, stories

from tamis.sandbox import wire

PATIENCE = 120.0  # seconds for an answer
BRIEF = 0.2  # seconds for what a conversation that comes to no end may be told
FINAL = frozenset(b"cyart")  # the words of answers to an end of message
ID = "HOSTILE"  # as the queue IDs of its messages begin
EXPLAINED = re.compile(
    r" warning: (?!4B)\S*: "  # of a message whose queue ID is not the load's
    r"| warning: connection ended: what came is not the milter protocol"
)


class Hostile:
    """Sends a part of the list, one message after the other, while the context lasts; then the next part."""

    def __init__(self, where: str, *, seed: int, parts: int) -> None:
        """Take the address of a unix socket, and in how many parts the list is sent."""
        self._path = where.removeprefix("unix:")
        names = [*stories(), *BEYOND_LIBMILTER, *CONVERSATIONS]
        random.Random(seed).shuffle(names)  # noqa: S311  # the same order each time is what it is for
        self._parts = [names[one::parts] for one in range(parts)]
        self._next = 0
        self.answers: Counter[str] = Counter()

    def __enter__(self) -> Self:
        """Send the next part."""
        part = self._parts[self._next % len(self._parts)]
        self._thread = threading.Thread(target=self._send, args=(part, self._next))
        self._thread.start()
        self._next += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait until it is sent."""
        self._thread.join()

    def _send(self, names: Sequence[str], lap: int) -> None:
        for number, name in enumerate(names):
            make = stories().get(name)
            if make is not None:
                one = make()
                if one.macros == Story().macros:
                    one = replace(one, macros=f"i\0{ID}{lap:05}{number:05}\0".encode())
                self._say(b"".join(one.commands()), PATIENCE)
            elif name in BEYOND_LIBMILTER:
                self._say(b"".join(BEYOND_LIBMILTER[name].commands()), BRIEF)
            else:
                self._say(CONVERSATIONS[name], BRIEF)

    def _say(self, octets: bytes, patience: float) -> None:
        """Send octets over a connection of their own, and wait for an answer, or for the end of patience."""
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(patience)
            try:
                channel.connect(self._path)
                channel.sendall(octets)
                self.answers[_answer(channel)] += 1
            except ConnectionError:
                self.answers["ended"] += 1
            except TimeoutError:
                self.answers["none"] += 1


def _answer(channel: socket.socket) -> str:
    """Return the word that ends a message, or "ended" where the other side hangs up."""
    decoder = wire.Decoder()
    while received := channel.recv(1 << 16):
        for word, _ in decoder.feed(received):
            if word[0] in FINAL:
                return word.decode()
    return "ended"
