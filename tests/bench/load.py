"""Plays an MTA with many connections to a milter, at as little CPU time per message as Python allows.

Everything that can be encoded beforehand is: per message and connection remain a few system calls, so that a
machine of two cores measures the filter rather than this.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from tests.bench.frames import Mail, Segment, script

from tamis.address import UnixAddress, parse
from tamis.sandbox import wire
from tamis.sandbox.wire import Command, Response

ROOM = 1 << 18  # octets read at once
GOES_ON = wire.frame(Response.CONTINUE)  # what most answers are
OFFER = wire.negotiate(wire.Options())
QUIT = wire.frame(Command.QUIT)
FINAL = {
    Response.CONTINUE: "accept",
    Response.ACCEPT: "accept",
    Response.REJECT: "reject",
    Response.TEMPFAIL: "tempfail",
    Response.DISCARD: "discard",
}

Scripts: TypeAlias = tuple[tuple[Segment, ...], tuple[Segment, ...]]
"""How a message is sent as the first one of a connection, and as a later one."""


@dataclass(slots=True)
class Outcome:
    """What became of the messages of one run."""

    seconds: float = 0.0
    cpu: float = 0.0  # seconds of this process
    latencies: list[float] = field(default_factory=list)  # seconds from end of message to the final answer
    verdicts: Counter[str] = field(default_factory=Counter)
    ids: list[str] = field(default_factory=list)  # queue IDs of messages that were answered
    errors: list[str] = field(default_factory=list)

    def add(self, other: Outcome) -> None:
        """Take what became of other messages, too."""
        self.seconds += other.seconds
        self.cpu += other.cpu
        self.latencies += other.latencies
        self.verdicts += other.verdicts
        self.ids += other.ids
        self.errors += other.errors

    def latency(self, share: float) -> float:
        """Return the latency in seconds that a share of the messages did not exceed."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass(slots=True, eq=False)
class Line:
    """One connection to the filter."""

    channel: socket.socket
    left: int  # messages that it will still carry
    negotiated: bool = False
    segments: tuple[Segment, ...] = ()  # of the message in hand, () between messages
    at: int = 0  # the segment that waits for its answer
    queue_id: bytes = b""
    unsent: memoryview | None = None
    decoder: wire.Decoder = field(default_factory=wire.Decoder)
    started: float = 0.0  # perf_counter() when the last octets were sent


def negotiate(where: str) -> wire.Options:
    """Return what the filter at an address wants; raise OSError or ProtocolError."""
    with connect(where) as channel:
        channel.settimeout(10)
        channel.sendall(OFFER)
        decoder = wire.Decoder()
        while not (packets := decoder.feed(received := channel.recv(ROOM))):
            if not received:
                raise ConnectionError("the filter ended the connection at negotiation")
        channel.sendall(QUIT)
    word, payload = packets[0]
    if word != Command.NEGOTIATE.value:
        raise wire.ProtocolError("no negotiation")
    return wire.options(payload)


class Load:
    """Messages encoded for one filter, to be sent over many connections at once."""

    def __init__(self, where: str, mails: Sequence[Mail], *, per_connection: int = 1) -> None:
        """Encode messages for the filter at an address; a connection carries so many of them."""
        self._where = where
        self._per_connection = per_connection
        agreed = negotiate(where)
        later = per_connection > 1
        self._scripts: list[Scripts] = [
            (script(mail, agreed), script(mail, agreed, first=False) if later else ()) for mail in mails
        ]

    def __len__(self) -> int:
        """Return how many messages it sends."""
        return len(self._scripts)

    def run(self, connections: int, *, numbers: Iterator[int], patience: float = 120.0) -> Outcome:
        """Send every message once; raise TimeoutError if for patience seconds no answer comes.

        Queue IDs are made from numbers.
        """
        run = _Run(self._where, iter(self._scripts), numbers, per_connection=self._per_connection)
        return run.run(min(connections, len(self._scripts)), patience)


class _Run:
    def __init__(
        self, where: str, scripts: Iterator[Scripts], numbers: Iterator[int], *, per_connection: int
    ) -> None:
        self._where = where
        self._scripts = scripts
        self._numbers = numbers
        self._per_connection = per_connection
        self._next = next(scripts, None)
        self._poll = select.epoll()
        self._lines: dict[int, Line] = {}
        self.outcome = Outcome()

    def run(self, connections: int, patience: float) -> Outcome:
        cpu, start = time.process_time(), time.perf_counter()
        for _ in range(connections):
            self._open()
        while self._lines:
            events = self._poll.poll(patience)
            if not events:
                raise TimeoutError(f"{len(self._lines)} messages without an answer for {patience:.0f} s")
            for descriptor, event in events:
                self._serve(self._lines[descriptor], event)
        self._poll.close()
        self.outcome.seconds = time.perf_counter() - start
        self.outcome.cpu = time.process_time() - cpu
        return self.outcome

    def _open(self) -> None:
        if self._next is None:
            return
        channel = connect(self._where)
        channel.setblocking(False)
        line = Line(channel, self._per_connection)
        self._lines[channel.fileno()] = line
        self._poll.register(channel.fileno(), select.EPOLLIN)
        self._send(line, OFFER)

    def _close(self, line: Line) -> None:
        del self._lines[line.channel.fileno()]
        with contextlib.suppress(OSError):  # the filter may have gone already
            line.channel.send(QUIT)
        line.channel.close()
        self._open()

    def _serve(self, line: Line, event: int) -> None:
        try:
            if event & select.EPOLLOUT and line.unsent is not None:
                self._send(line, line.unsent)
            if event & ~select.EPOLLOUT:
                received = line.channel.recv(ROOM)
                if not received:
                    raise ConnectionError("the filter ended the connection")
                self._take(line, received)
        except (OSError, wire.ProtocolError) as error:
            if not line.negotiated:
                raise
            self.outcome.verdicts["error"] += bool(line.segments)
            self.outcome.errors.append(f"{line.queue_id.decode()}: {error}")
            self._close(line)

    def _take(self, line: Line, received: bytes) -> None:
        if received == GOES_ON:
            self._answered(line, Response.CONTINUE, b"")
            return
        for word, payload in line.decoder.feed(received):
            if line.negotiated:
                self._answered(line, wire.response(word), payload)
            else:
                line.negotiated = True
                self._begin(line)

    def _begin(self, line: Line) -> None:
        """Start the next message on a connection, or end it and open another one."""
        if self._next is None or line.left == 0:
            self._close(line)
            return
        line.segments = self._next[line.left < self._per_connection]
        line.left -= 1
        self._next = next(self._scripts, None)
        line.queue_id = b"4B%010X" % next(self._numbers)
        line.at = 0
        self._send_segment(line)

    def _send_segment(self, line: Line) -> None:
        self._send(line, line.queue_id.join(line.segments[line.at].pieces))

    def _send(self, line: Line, octets: bytes | memoryview) -> None:
        line.started = time.perf_counter()
        try:
            sent = line.channel.send(octets)
        except BlockingIOError:
            sent = 0
        waited = line.unsent is not None
        line.unsent = memoryview(octets)[sent:] if sent < len(octets) else None
        waits = line.unsent is not None
        if waits != waited:
            self._poll.modify(line.channel.fileno(), select.EPOLLIN | (select.EPOLLOUT if waits else 0))

    def _answered(self, line: Line, word: Response, payload: bytes) -> None:
        """Go on after a packet: a change to the message, or the answer to the segment that was sent."""
        last = line.at == len(line.segments) - 1
        if word is Response.SHUTDOWN or not line.segments:
            raise wire.ProtocolError(f"unexpected {word.name}")
        if word is Response.SKIP:
            line.at = len(line.segments) - 1
            self._send_segment(line)
        elif word is Response.CONTINUE and not last:
            line.at += 1
            self._send_segment(line)
        elif word is Response.REPLY:
            self._finished(line, "tempfail" if wire.reply(payload).startswith("4") else "reject")
        elif word in FINAL:
            self._finished(line, FINAL[word])

    def _finished(self, line: Line, verdict: str) -> None:
        self.outcome.latencies.append(time.perf_counter() - line.started)
        self.outcome.verdicts[verdict] += 1
        self.outcome.ids.append(line.queue_id.decode())
        early = (
            line.at < len(line.segments) - 1
        )  # refused before its end: a connection of its own is simplest
        line.segments = ()
        if early:
            line.left = 0
        self._begin(line)


def connect(where: str) -> socket.socket:
    """Return a connection to an address such as unix:/path."""
    address = parse(where)
    if isinstance(address, UnixAddress):
        channel = socket.socket(socket.AF_UNIX)
        channel.connect(address.path)
        return channel
    channel = socket.create_connection((address.host, address.port))
    channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return channel
