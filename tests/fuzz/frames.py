"""The properties of a milter connection: any octets, however cut, give the answers that a model gives."""

from __future__ import annotations

import asyncio
import logging
import random
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.model_milter import Told, may_join, told

from tamis.config import Milter
from tamis.decision import Plan, Reply
from tamis.front.stream import Conversation, Stream
from tamis.message import Envelope, Message, Recipient, split
from tamis.sandbox import wire
from tamis.sandbox.wire import Command, Steps
from tamis.ticket import Means

LARGEST = 1 << 14  # octets of an input: some 3,000 messages
SLOW = 1.0  # seconds of CPU for one; the slowest of the seeds takes a hundredth of one
ROOT = Path(__file__).parents[2]
BETWEEN = b"\xff\xfe"  # parts the frames of an input whose lengths are made right
PATIENCE = 100  # turns of the loop beside one for each octet, of which a message takes five
LOOP = asyncio.new_event_loop()
NOT_NOW = Reply("450", "4.7.1", "100% busy")
# By the number of the message in its connection: each plan, and the words that carry it out.
PLANS = (
    (Plan((), Means.UNIFORM), b"c"),
    (Plan((), Means.UNIFORM, reply=Reply("550", "5.7.1", "100% spam")), b"y"),
    (
        Plan(
            (),
            Means.DETAIL,
            fields=(("X-Spam-Flag", "YES"), ("X-Spam-Score", "7.3")),
            remove_fields=(("X-Spam-Flag", 1),),
            remove_recipients=("bob@example.org",),
            add_recipients=(
                Recipient("bob+junk@example.org", ("NOTIFY=NEVER",)),
                Recipient("carol@example.org"),
            ),
        ),
        b"mii-2+c",
    ),
)


@dataclass
class Pipe(asyncio.Transport):
    """A connection of which both ends are here."""

    sent: bytearray = field(default_factory=bytearray)
    closed: bool = False
    reading: bool = True

    def write(self, data: Any) -> None:
        """Take what the front says."""
        assert not self.closed, "the front writes to a connection that it has closed"
        self.sent += data

    def close(self) -> None:
        """End the connection."""
        self.closed = True

    def abort(self) -> None:
        """End the connection at once."""
        self.closed = True

    def is_closing(self) -> bool:
        """Tell whether it has ended."""
        return self.closed

    def pause_reading(self) -> None:
        """Bring nothing for now."""
        self.reading = False

    def resume_reading(self) -> None:
        """Bring what there is again."""
        self.reading = True

    def is_reading(self) -> bool:
        """Tell whether something may be brought."""
        return self.reading and not self.closed

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Take any limits: what is written is read at once."""

    def get_write_buffer_size(self) -> int:
        """Return how much is not read yet."""
        return 0


class Errors(logging.Handler):
    """Keeps what is logged as an error, which no octets may bring about."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.records.append(record.getMessage())


ERRORS = Errors()
logging.getLogger("tamis").addHandler(ERRORS)
logging.getLogger("tamis").propagate = False


def seeds() -> Iterator[bytes]:
    """Return conversations of one message and of several, as octets and as frames without their lengths."""
    raws = [path.read_bytes() for path in sorted(ROOT.glob("tests/samples/*.eml"))[:6]]
    for number, raw in enumerate(raws):
        steps = wire.ALL_STEPS if number % 2 else Steps(0)
        frames = [wire.negotiate(wire.Options(steps=steps)), *_message(raw), *_message(raws[0])]
        frames += [wire.frame(Command.ABORT), *_message(raws[1]), wire.frame(Command.QUIT)]
        for count in (len(frames), len(frames) // 3, 3):
            yield b"\0\0\1" + b"".join(frames[:count])
            yield b"\1\2\3" + BETWEEN.join(frame[4:] for frame in frames[:count])
            yield b"\3\4\5" + BETWEEN.join(frame[4:] for frame in frames[:count])
    yield b"\1\0\0" + BETWEEN.join(b"K E Q A U T O Z".split())


def _message(raw: bytes) -> Iterator[bytes]:
    fields, body = split(raw)
    yield wire.macros(Command.CONNECT, {"j": "mx.example.org", "{daemon_name}": "smtpd"})
    yield wire.connect("mail.example.net", "192.0.2.7", 25)
    yield wire.helo("mail.example.net")
    yield wire.macros(Command.MAIL, {"i": "4XyZ", "{auth_authen}": "anna"})
    yield wire.mail("anna@example.net", ["SIZE=100"])
    yield wire.macros(Command.RCPT, {"{rcpt_addr}": "bob@example.org"})
    yield wire.rcpt("bob@example.org", ["NOTIFY=NEVER"])
    yield wire.rcpt("carol@example.org")
    yield wire.rcpt("dave@example.org")
    yield wire.frame(Command.DATA)
    yield from (wire.header(name, value) for name, value in fields)
    yield wire.frame(Command.END_OF_HEADER)
    yield from wire.body(body[:600])
    yield wire.frame(Command.END_OF_MESSAGE, b"the end\r\n")


def tokens() -> Iterator[bytes]:
    """Return words that a fuzzer may put in."""
    yield BETWEEN
    yield from (command.value + b"\0" for command in Command)
    yield from (BETWEEN + command.value for command in Command)
    yield from (struct.pack("!I", length) for length in (0, 1, 2, 13, 1 << 20, (1 << 20) + 1, (1 << 32) - 1))
    yield from (wire.frame(Command.END_OF_MESSAGE), wire.frame(Command.ABORT), wire.negotiate(wire.Options()))
    yield from (b"{auth_authen}\0", b"{rcpt_addr}\0", b"IPv6:", b"<>\0")


def octets_of(data: bytes) -> tuple[bytes, int, bool]:
    """Return what an input has the MTA send, what its cuts are drawn from, and whether RCPT is answered."""
    kind, cuts, rest = int.from_bytes(data[:1]), int.from_bytes(data[1:3]), data[3:]
    if kind & 1:
        rest = b"".join(struct.pack("!I", len(frame)) + frame for frame in rest.split(BETWEEN))
    return rest, cuts, bool(kind & 2)


def check(data: bytes) -> None:
    """Send octets in one piece and in many, and raise AssertionError where an answer is not the model's."""
    octets, number, asks = octets_of(data)
    expected = told(octets, asks=asks)
    draw = random.Random(number)  # noqa: S311 - for tests
    cuts = sorted(draw.sample(range(len(octets)), min(len(octets), draw.randrange(8))))
    pieces = [octets[start:end] for start, end in pairwise((0, *cuts, len(octets)))]

    whole = LOOP.run_until_complete(converse([octets], asks=asks))
    cut = LOOP.run_until_complete(converse(pieces, asks=asks))

    for found in (whole, cut):
        assert words(found.sent) == answers(expected), "other answers than the model's"
        assert [told_of(message) for message in found.messages] == list(expected.messages)
    assert whole == cut, "other answers when cut"


@dataclass
class Outcome:
    """What a connection came to."""

    sent: bytes
    messages: list[Message]
    closed: bool


async def converse(pieces: Sequence[bytes], *, asks: bool) -> Outcome:
    """Bring octets to a front, a piece with each turn of the loop, and hang up once it has no more to say."""
    pipe = Pipe()
    messages: list[Message] = []

    async def handle(message: Message) -> Plan:
        messages.append(message)
        for _ in range(len(messages) % 4):
            await asyncio.sleep(0)
        return PLANS[(len(messages) - 1) % len(PLANS)][0]

    async def ask(envelope: Envelope, recipient: Recipient, *, turned_away: int) -> Reply | None:
        admitted = len(envelope.recipients)
        for _ in range(admitted % 3):
            await asyncio.sleep(0)
        return None if may_join(admitted, turned_away) else NOT_NOW

    front = Stream(Milter())
    front.handle = handle
    front.ask = ask if asks else None
    front._loop = LOOP
    conversation = Conversation(front)
    conversation.connection_made(pipe)
    ERRORS.records.clear()
    patience = PATIENCE + sum(map(len, pieces))
    for piece in pieces:
        await until(lambda: pipe.reading or pipe.closed, patience)
        if pipe.closed:
            break
        conversation.data_received(piece)
        await asyncio.sleep(0)
    await until(lambda: front.gate.inside == 0 and not front._tasks, patience)
    closed = pipe.closed
    conversation.connection_lost(None)
    await asyncio.sleep(0)
    assert front.gate.inside == 0
    assert ERRORS.records == []
    return Outcome(bytes(pipe.sent), messages, closed)


async def until(condition: Callable[[], bool], patience: int) -> None:
    """Let the loop turn until a condition holds, at most so many times."""
    for _ in range(patience):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("the connection hangs")


def words(sent: bytes) -> bytes:
    """Return the words of the answers."""
    return b"".join(word for word, _ in wire.Decoder().feed(sent))


def answers(expected: Told) -> bytes:
    """Return the words that the model expects, with those that carry out the plan of each message."""
    found = b""
    message = 0
    for word in expected.words:
        if word == ord("E"):
            found += PLANS[message % len(PLANS)][1]
            message += 1
        else:
            found += bytes((word,))
    return found


def told_of(message: Message) -> tuple[Any, ...]:
    """Return what the model tells of a message."""
    sender = message.envelope.mail_from
    recipients = tuple(one.address for one in message.envelope.recipients)
    return message.fields, message.body, sender, recipients
