"""Asks one clamd about one message, on the event loop (clamd(8), section COMMANDS).

A connection per message: it ends with the message, so that a scan that hangs holds up no other, and a clamd
that was restarted has left nothing behind. An IDSESSION would save about 10 us of a scan's several hundred.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import socket
from collections.abc import Iterator

from tamis.address import Address, InetAddress, UnixAddress
from tamis.finding import VirusFinding, VirusStatus
from tamis.message import Message
from tamis.sockets import connect

CHUNK = 1 << 18  # octets written at once, about 0.1 ms; between them the loop does other work
LONGEST_REPLY = 4096  # octets; clamd's are a line
LONGEST_NAME = 100  # characters of a name of malware, as it goes into a header field and an SMTP reply
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL

REPLY = re.compile(
    rb"(?:stream|fd\[\d+\]): (?:(?P<clean>OK)|(?P<name>[^\n]+) FOUND)"
    rb"|(?:(?:stream|fd\[\d+\]): )?(?P<error>.+) ERROR"
)
UNSAFE = re.compile(r"[^A-Za-z0-9._+:/@{}\[\]-]")  # what would mean something in a comment or a reply
CANNOT_SCAN = re.compile(r"Heuristics\.(?:Limits\.Exceeded|Encrypted)\b")
# Errors (cl_strerror() of libclamav 1.4) that are this message's own and would come again with every try. All
# others, such as no memory or a full TemporaryDirectory, may be clamd's own.
OF_THE_MESSAGE = frozenset(
    {
        "INSTREAM size limit exceeded.",
        "Exceeded time limit",
        "Exceeded max recursion depth",
        "Exceeded max scan size",
        "Exceeded max scan files",
        "Bad format or broken data",
        "Can't unpack some data",
        "Can't parse data",
        "Can't read file",
        "Error during bytecode execution",
    }
)


class ScannerUnavailable(Exception):
    """A clamd that takes connections but gives no answer of use; its text is safe to log."""


async def ask(where: Address, message: Message) -> VirusFinding:
    """Return what a clamd says; raise OSError or ScannerUnavailable where it says nothing of the message."""
    match where:
        case UnixAddress():
            return parse(await _by_descriptor(where, message))
        case InetAddress():
            return parse(await _by_stream(where, message))


def parse(reply: bytes) -> VirusFinding:
    """Return the finding in a reply without its final NUL; raise ScannerUnavailable."""
    match = REPLY.fullmatch(reply)
    if match is None:
        raise ScannerUnavailable("unknown_reply")
    if match["clean"]:
        return VirusFinding(VirusStatus.CLEAN)
    if match["name"]:
        name = UNSAFE.sub("_", match["name"].decode("ascii", "replace"))[:LONGEST_NAME]
        if CANNOT_SCAN.match(name):
            return VirusFinding(VirusStatus.UNSCANNABLE)
        return VirusFinding(VirusStatus.INFECTED, name)
    error = match["error"].decode("ascii", "replace")
    if error in OF_THE_MESSAGE:
        return VirusFinding(VirusStatus.UNSCANNABLE)
    raise ScannerUnavailable(UNSAFE.sub("_", error)[:LONGEST_NAME])


async def _by_descriptor(where: UnixAddress, message: Message) -> bytes:
    """Send a descriptor of the message and return the reply: the message itself is not copied."""
    with contextlib.ExitStack() as ending:
        sealed = await _sealed(message)
        try:
            connection = ending.enter_context(await connect(where))
            # The last octet carries the descriptor's right. A new connection's buffer has room for it.
            socket.send_fds(connection, [b"zFILDES\0\0"], [sealed])
        finally:
            os.close(sealed)
        try:
            return await _reply(connection)
        except asyncio.CancelledError:
            ending.pop_all()
            _close_later(connection)
            raise


def _close_later(connection: socket.socket) -> None:
    """Close a connection on which nobody waits any more once clamd answers on it or closes it.

    Where the client has gone before clamd looks at its command, clamd drops that command and keeps, for ever,
    the descriptor that came with it, and so the message (seen with 1.4).
    """
    loop = asyncio.get_running_loop()

    def close() -> None:
        loop.remove_reader(connection)
        connection.close()

    loop.add_reader(connection, close)


async def _sealed(message: Message) -> int:
    """Return a descriptor of the message in memory that nobody can change any more (memfd_create(2))."""
    descriptor = os.memfd_create("message", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        for chunk in _chunks(message):
            full = len(chunk) == CHUNK
            while chunk:
                chunk = chunk[os.write(descriptor, chunk) :]
            if full:
                await asyncio.sleep(0)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, SEALS)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


async def _by_stream(where: InetAddress, message: Message) -> bytes:
    """Send the message over TCP and return the reply."""
    loop = asyncio.get_running_loop()
    with await connect(where) as connection:
        try:
            await loop.sock_sendall(connection, b"zINSTREAM\0")
            for chunk in _chunks(message):
                await loop.sock_sendall(connection, len(chunk).to_bytes(4, "big") + chunk)
            await loop.sock_sendall(connection, bytes(4))
        except ConnectionError:
            pass  # clamd may have answered before the end, as with a message over its StreamMaxLength
        return await _reply(connection)


def _chunks(message: Message) -> Iterator[memoryview]:
    """Yield the message in pieces of at most CHUNK octets, none of them empty."""
    for part in (message.head + b"\r\n", message.body):
        for start in range(0, len(part), CHUNK):
            yield memoryview(part)[start : start + CHUNK]


async def _reply(connection: socket.socket) -> bytes:
    """Return the reply up to its NUL; raise ScannerUnavailable where there is none."""
    loop = asyncio.get_running_loop()
    received = b""
    while b"\0" not in received:
        more = await loop.sock_recv(connection, LONGEST_REPLY)
        received += more
        if not more or len(received) > LONGEST_REPLY:
            raise ScannerUnavailable("no_reply" if not received else "unknown_reply")
    return received.partition(b"\0")[0]
