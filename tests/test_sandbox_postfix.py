"""The sandbox beside a real Postfix: it tells filters the same, and edits messages the same."""

from __future__ import annotations

import asyncio
import re
import struct
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.servers.filter import CONTINUE, Filter
from tests.servers.postfix import Postfix, running
from tests.servers.smtp import connection, wait_until

from tamis.message import Envelope, Recipient
from tamis.sandbox import wire
from tamis.sandbox.client import Client, Connection
from tamis.sandbox.edit import apply
from tamis.sandbox.wire import Command, Options, Response, Steps

HOST = "mail.example.net"
BOB = Recipient("bob@example.org", ("NOTIFY=NEVER",))
ANNA = Recipient("anna@example.org")
HEAD = (
    b"Received: from a.example.net\r\n\tby b.example.net; Mon, 23 Nov 2026 10:00:00 +0000\r\n"
    b"From: pat@example.net\r\n"
    b"Subject:  folded\r\n\tonce \r\n"
    b"X-A:1\r\nX-A: 2\r\nx-a: 3\r\n"
    b"To: bob@example.org\r\n"
    b"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\n"
    b"Message-ID: <1@example.net>\r\n"
)
RAW = HEAD + b"\r\nHello\r\n"
LARGE = HEAD + b"\r\n" + (b"y" * 76 + b"\r\n") * 2000
WITHOUT_EMPTY_LINE = HEAD + b"no field\r\n\r\nHello\r\n"
OURS = b"Received: ours\n"


def insert(index: int, name: bytes, value: bytes) -> bytes:
    payload = struct.pack("!I", index) + name + b"\0" + value + b"\0"
    return wire.frame(Response.INSERT_FIELD, payload)


def change(index: int, name: bytes, value: bytes) -> bytes:
    payload = struct.pack("!I", index) + name + b"\0" + value + b"\0"
    return wire.frame(Response.CHANGE_FIELD, payload)


def add(name: bytes, value: bytes) -> bytes:
    return wire.frame(Response.ADD_FIELD, name + b"\0" + value + b"\0")


@dataclass(frozen=True)
class Pair:
    """A Postfix, and the filter that it asks."""

    postfix: Postfix
    filter: Filter

    def send(self, raw: bytes, *recipients: Recipient) -> str:
        """Send a message through Postfix, and return its queue ID."""
        with connection(self.postfix.listeners["noted"].mx) as client:
            to = [(one.address, one.parameters) for one in recipients]
            return client.send(raw, *to, options=["BODY=8BITMIME"]).queue_id

    def is_alone(self) -> bool:
        """Tell whether the filter was left by all who came."""
        return len(self.filter.told(Command.QUIT)) == len(self.filter.told(Command.CONNECT))


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """Run a Postfix in front of a filter made of bytes."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        with running(["noted"]) as postfix:
            address = postfix.listeners["noted"].milter
            one = Filter(Options(steps=Steps.LEADING_SPACE), address=address)
            path = Path(address.removeprefix("unix:"))
            listening = asyncio.start_unix_server(one.serve, path)
            server = asyncio.run_coroutine_threadsafe(listening, loop).result()
            path.chmod(0o666)
            yield Pair(postfix, one)
            loop.call_soon_threadsafe(server.close)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def plain(commands: Sequence[tuple[Command, bytes]]) -> list[tuple[Command, bytes]]:
    """Return commands from the last CONNECT to the last end of message, without what must differ.

    That is queue ID, the client's port, Postfix's version, and where it would deliver.
    """
    names = [command for command, _ in commands]
    start = len(names) - names[::-1].index(Command.CONNECT)
    end = len(names) - names[::-1].index(Command.END_OF_MESSAGE)
    varying = rb"(?<=[A-Z\0])(i|\{(?:mail|rcpt)_(?:host|mailer)\})\0[^\0]*"
    found = [(command, re.sub(varying, rb"\1", payload)) for command, payload in commands[start:end]]
    second_greeting = [Command.HELO, Command.ABORT]  # XCLIENT made the test's client say EHLO twice
    if [command for command, _ in found[1:3]] == second_greeting:
        del found[2]
    return found


@pytest.mark.parametrize("raw", [RAW, LARGE, WITHOUT_EMPTY_LINE], ids=["short", "large", "no empty line"])
def test_filter_is_told_the_same(raw: bytes, pair: Pair) -> None:
    pair.filter.answers = {}
    wait_until(pair.is_alone)  # else the last word of the test before may come after this
    pair.filter.commands.clear()
    pair.send(raw, BOB, ANNA)
    wait_until(pair.is_alone)  # else what Postfix says at last may come in the midst of ours
    expected = plain(pair.filter.commands)
    envelope = Envelope(
        mail_from="pat@example.net", recipients=(BOB, ANNA), mail_parameters=("BODY=8BITMIME",)
    )

    async def story() -> None:
        client = Client(ip="192.0.2.25", name=HOST, mta_name="mx.example.org")
        async with await Connection.open(pair.filter.address, client, helo=HOST) as mta:
            await mta.send(envelope, raw)

    asyncio.run(story())

    assert plain(pair.filter.commands) == expected


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [insert(0, b"X-I", b" top\n\tfolded")],
        [insert(1, b"X-I", b" below"), insert(1, b"X-I", b"no space")],
        [insert(4, b"X-I", b" between")],
        [add(b"X-N", b" new"), insert(10, b"X-I", b" before it"), insert(99, b"X-I", b" last")],
        [add(b"X-N", b" new"), change(1, b"X-N", b" newer")],
        [change(3, b"X-A", b""), change(1, b"X-A", b"")],
        [change(1, b"X-A", b""), change(2, b"x-A", b" other\n\tfold"), change(9, b"X-A", b"")],
        [change(0, b"Subject", b" replaced"), change(9, b"X-A", b" appended")],
        [insert(0, b"X-I", b" top"), change(1, b"X-I", b""), change(1, b"Received", b" changed")],
    ],
)
@pytest.mark.parametrize("raw", [RAW, WITHOUT_EMPTY_LINE], ids=["whole", "no empty line"])
def test_message_is_edited_the_same(frames: list[bytes], raw: bytes, pair: Pair) -> None:
    pair.filter.answers = {Command.END_OF_MESSAGE: [b"".join(frames) + CONTINUE]}
    asked = [wire.Decoder().feed(one)[0] for one in frames]
    modifications = [wire.modification(Response(word), payload) for word, payload in asked]

    queue_id = pair.send(raw, BOB)

    (copy,) = pair.postfix.delivered(queue_id)
    expected, _ = apply(raw, (BOB,), [one for one in modifications if one is not None], received=OURS)
    assert without_trace(copy.raw, queue_id) == expected.replace(b"\r\n", b"\n")


def without_trace(raw: bytes, queue_id: str) -> bytes:
    """Return a delivered message without what virtual(8) added, Postfix's Received in short."""
    below = re.sub(rb"\A(?:(?:Return-Path|X-Original-To|Delivered-To): .*\n)+", b"", raw)
    received = re.compile(
        rb"^Received: from .*\n\t.* id " + queue_id.encode() + rb".*\n(?:\t.*\n)*", re.MULTILINE
    )
    return received.sub(OURS, below)
