"""Copies of a message, handed to a relay that is made of bytes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import pytest
import uvloop
from tests.servers import relay as relays
from tests.servers.milter import PATIENCE

from tamis.decision import Copy
from tamis.message import Envelope, Message, Recipient
from tamis.resend import connection
from tamis.resend.handover import Accepted
from tamis.resend.relay import Relay
from tamis.resend.transaction import Fate, Receipt

Result = TypeVar("Result")
Receipts = tuple[tuple[Receipt, ...], ...]

NAME = "tamis-0.invalid"
ENVELOPE = Envelope(
    mail_from="pat@example.net",
    client_ip="192.0.2.25",
    client_name="mail.example.net",
    helo="helo.example.net",
    queue_id="4Xy1",
    mail_parameters=("BODY=8BITMIME",),
)
LETTER = Message(ENVELOPE, ((b"Subject", b" Lunch"),), b"Hello\r\n.\r\nPat\r\n")
WRITTEN = b"Subject: Lunch\r\n\r\nHello\r\n.\r\nPat\r\n"
ANNA, BOB, CAROL = (Copy((Recipient(f"{user}@example.org"),)) for user in ("anna", "bob", "carol"))
LATE = b"451 4.3.0 try later, pat@example.net\r\n"
NEVER = b"550 5.7.1 no, bob@example.org\r\n"
CLOSING = b"421 4.3.2 bye pat@example.net\r\n"
BEFORE = ("connect", "EHLO", "XFORWARD", "MAIL", "RCPT")  # steps at which nothing is out

ACCEPTED = Receipt(Fate.ACCEPTED, "250 2.0.0", "4XyZ")


@pytest.fixture(autouse=True)
def safe_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """See that no log line has an address in it, whatever happens."""
    caplog.set_level(logging.DEBUG, "tamis")
    yield
    assert [line for line in caplog.messages if "@" in line or "Lunch" in line] == []


def hurry(patch: pytest.MonkeyPatch, step: str) -> None:
    """Let nobody wait long where the relay hangs at a step; a good one has all its time at the others."""
    match step:
        case "content" | "end":
            patch.setattr(connection, "BLOCK", 0.3)  # seconds
            patch.setattr(connection, "END_OF_DATA", 1.0)  # which the other copies' ends have, too
        case _:
            patch.setattr(connection, "REPLY", 0.3)


class Recorder:
    """Takes down what was accepted."""

    def __init__(self) -> None:
        self.accepted: list[tuple[int, tuple[Recipient, ...]]] = []

    async def __call__(self, copy: int, recipients: tuple[Recipient, ...]) -> None:
        """Take one down."""
        self.accepted.append((copy, recipients))


def with_relay(
    folder: Path, server: relays.Relay, story: Callable[[Relay], Awaitable[Result]], *, connections: int = 8
) -> Result:
    """Run a story with a server, and see that no connection is left once it is over."""

    async def run() -> Result:
        async with relays.running(server, folder):
            client = Relay(server.address, NAME, connections=connections)
            try:
                return await story(client)
            finally:
                client.close()
                server.over.set()
                async with asyncio.timeout(PATIENCE):
                    while server.open:
                        await asyncio.sleep(0.001)

    return uvloop.run(run())


async def hand(
    client: Relay,
    *copies: Copy,
    message: Message = LETTER,
    accepted: Accepted | None = None,
    remove: Sequence[tuple[str, int]] = (),
) -> Receipts:
    """Prepare and send copies of a message."""
    prepared = await client.prepare(message, copies, remove)
    return await prepared.send(accepted or Recorder())


def handed(folder: Path, server: relays.Relay, *copies: Copy, message: Message = LETTER) -> Receipts:
    """Return what became of copies that a server was handed."""
    return with_relay(folder, server, lambda client: hand(client, *copies, message=message))


def fates(receipts: Receipts) -> list[list[str]]:
    """Return what became of each copy for each of its recipients."""
    return [[str(one.fate) for one in copy] for copy in receipts]


def contents(server: relays.Relay) -> list[bytes]:
    """Return the contents that a server took over."""
    return [one.content for one in server.taken]
