"""What every front is: one way to speak the milter protocol, from the socket to the pipeline and back."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from tamis.address import InetAddress, UnixAddress
from tamis.config import Milter
from tamis.decision import Plan, Reply
from tamis.front.gate import Gate
from tamis.interfaces import Metrics
from tamis.message import Envelope, Message, Recipient

MAX_PACKET = 1 << 20  # octets; Postfix's header_size_limit is 102,400

Handle: TypeAlias = Callable[[Message], Awaitable[Plan]]


class Ask(Protocol):
    """Knows who may join a message."""

    def __call__(
        self, envelope: Envelope, recipient: Recipient, *, turned_away: int
    ) -> Awaitable[Reply | None]:
        """Return the reply to a recipient who may not join those of an envelope, or None.

        turned_away counts those that the same transaction has had.
        """


class Front(Protocol):
    """The front of one worker process."""

    gate: Gate
    metrics: Metrics  # the worker's, from its start on; nothing is counted before
    handle: Handle  # the pipeline's; another one counts from the next end of message on
    ask: Ask | None  # the pipeline's; where there is none, connections that begin do without answers at RCPT

    def apply(self, settings: Milter) -> None:
        """Take limits and times from [milter]; also while serving."""

    def listen(self, address: UnixAddress | InetAddress) -> socket.socket:
        """Open the listening socket, for this process and those that it forks; raise OSError."""

    async def serve(self, handle: Handle, listener: socket.socket) -> None:
        """Begin to take connections; handle is the pipeline's, and runs on this loop."""

    def leave(self) -> None:
        """Take no more connections; those in hand go on. On the loop's thread."""

    def hang_up(self) -> None:
        """End the connections that are between two messages, where that can be done."""

    @property
    def connections(self) -> int:
        """Connections that are open."""

    @property
    def busy(self) -> bool:
        """Whether a message has begun that was not answered yet."""
