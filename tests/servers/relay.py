"""An SMTP server made of bytes: answers each step as it is told, and keeps what it took over (RFC 5321)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TypeAlias

from tamis.address import UnixAddress

EXTENSIONS = (
    "PIPELINING",
    "SIZE 52428800",
    "8BITMIME",
    "SMTPUTF8",
    "DSN",
    "XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT",
)
FINAL = b"\r\n.\r\n"
GOOD: Mapping[str, bytes] = {
    "connect": b"220 mx.example.org ESMTP\r\n",
    "DATA": b"354 go on\r\n",
    "end": b"250 2.0.0 Ok: queued as 4XyZ\r\n",
    "QUIT": b"221 2.0.0 bye\r\n",
}


class Way(Enum):
    """What it does instead of answering."""

    BE_GOOD = "answer as a good one does"
    HANG = "hang"
    HANG_UP = "hang up"
    LOSE = "take over, and hang up before the reply"


Act: TypeAlias = bytes | Way


@dataclass(frozen=True, slots=True)
class Taken:
    """One message that it took over."""

    mail: str
    rcpt: tuple[str, ...]
    content: bytes  # as it was before dots were doubled


@dataclass
class Relay:
    """Its steps are the verbs of SMTP, "connect", "content" (the first octets of it) and "end" (of data).

    The acts of a step are used up in the order in which any connection comes to it; then it does as a good
    server does.
    """

    extensions: Sequence[str] = EXTENSIONS
    acts: Mapping[str, Sequence[Act]] = field(default_factory=dict)
    drips: bool = False  # says octet by octet what it says
    pause: float = 0.0  # seconds before each read of content
    seen: Callable[[str], None] = lambda step: None  # called at each step before the reply, and behind it
    commands: list[str] = field(default_factory=list)  # of all connections
    reads: list[int] = field(default_factory=list)  # how many commands came with each read
    taken: list[Taken] = field(default_factory=list)
    wire: bytearray = field(default_factory=bytearray)  # all that came after DATA
    open: int = 0  # connections
    most: int = 0  # of them at once
    opened: int = 0  # of them so far
    over: asyncio.Event = field(
        default_factory=asyncio.Event
    )  # the end of what hangs in the midst of content
    address: UnixAddress = field(default_factory=lambda: UnixAddress(""))

    def said(self, verb: str) -> list[str]:
        """Return the commands with a verb."""
        return [one for one in self.commands if one.partition(" ")[0] == verb]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak with one client until either hangs up."""
        self.open += 1
        self.opened += 1
        self.most = max(self.most, self.open)
        try:
            await _Talk(self, reader, writer).run()
        except ConnectionError:
            pass
        finally:
            self.open -= 1
            writer.close()


class _Talk:
    """One connection."""

    def __init__(self, relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._relay = relay
        self._reader = reader
        self._writer = writer
        self._rest = b""
        self._mail = ""
        self._rcpt: list[str] = []

    async def run(self) -> None:
        goes_on = await self._answer("connect")
        while goes_on:
            octets = await self._reader.read(1 << 16)
            if not octets:
                return
            *lines, self._rest = (self._rest + octets).split(b"\r\n")
            self._relay.reads.append(len(lines))
            for number, line in enumerate(lines):
                goes_on = goes_on and await self._obey(line.decode("utf-8", "surrogateescape"))
                if goes_on and line == b"DATA" and self._mail:
                    self._rest = b"\r\n".join((*lines[number + 1 :], self._rest))
                    goes_on = await self._take()
                    break

    async def _obey(self, line: str) -> bool:
        self._relay.commands.append(line)
        verb = line.partition(" ")[0]
        code = await self._answer(verb)
        if verb == "MAIL" and code == 2:
            self._mail, self._rcpt = line, []
        elif verb == "RCPT" and code == 2:
            self._rcpt.append(line)
        elif verb == "DATA" and code != 3:
            self._mail = ""
        return bool(code) and verb != "QUIT"

    async def _take(self) -> bool:
        """Take the content up to its end."""
        content, self._rest = b"\r\n" + self._rest, b""
        while FINAL not in content:
            await asyncio.sleep(self._relay.pause)
            octets = await self._reader.read(1 << 16)
            self._relay.wire += octets
            content += octets
            code = await self._answer("content") if octets else 0
            if not code or code >= 4:  # it has hung up, or does so after a refusal
                return False
        content, _, self._rest = content.partition(FINAL)
        mail, self._mail = self._mail, ""
        lines = (content + b"\r\n").replace(b"\r\n.", b"\r\n")
        return bool(await self._answer("end", Taken(mail, tuple(self._rcpt), lines[2:])))

    async def _answer(self, step: str, taken: Taken | None = None) -> int:
        """Do what is to be done at a step; return the class of the reply, 0 for having hung up.

        What is taken over is so before the reply goes out.
        """
        acts = self._relay.acts.get(step)
        act: Act = Way.BE_GOOD
        if acts:
            act, *rest = acts
            self._relay.acts = {**self._relay.acts, step: rest}
        if act is Way.BE_GOOD:
            act = self._good(step)
        if taken is not None and (act is Way.LOSE or (isinstance(act, bytes) and act.startswith(b"2"))):
            self._relay.taken.append(taken)
        self._relay.seen(step)
        if act is Way.HANG:
            await (self._relay.over.wait() if step == "content" else self._reader.read())
        if isinstance(act, Way):
            return 0
        for at in range(0, len(act), 1 if self._relay.drips else max(len(act), 1)):
            self._writer.write(act[at : at + (1 if self._relay.drips else len(act))])
            await self._writer.drain()
            await asyncio.sleep(0)
        self._relay.seen(f"{step} answered")
        return int(act[:1]) if act[:1].isdigit() else 1

    def _good(self, step: str) -> bytes:
        if step == "EHLO":
            lines = ["mx.example.org", *self._relay.extensions]
            return "".join(
                f"250{' ' if number == len(lines) else '-'}{line}\r\n" for number, line in enumerate(lines, 1)
            ).encode()
        if step == "content":
            return b""
        return GOOD.get(step, b"250 2.1.0 Ok\r\n")


@asynccontextmanager
async def running(relay: Relay, folder: Path) -> AsyncIterator[Relay]:
    """Let a relay listen on a unix socket below a folder."""
    path = folder / "relay.sock"
    relay.address = UnixAddress(str(path))
    server = await asyncio.start_unix_server(relay.serve, path)
    try:
        yield relay
    finally:
        server.close()
        path.unlink(missing_ok=True)
