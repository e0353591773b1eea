"""A milter made of bytes: notes each command, and answers as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tamis.sandbox import wire
from tamis.sandbox.wire import Command, Options, Response

CONTINUE = wire.frame(Response.CONTINUE)


@dataclass
class Filter:
    """What it answers, by command, and what it was told; commands that are not listed get "continue"."""

    options: Options = field(default_factory=lambda: Options(steps=wire.Steps(0)))
    answers: Mapping[Command, Sequence[bytes]] = field(default_factory=dict)
    quiet: frozenset[Command] = frozenset()  # commands that it leaves unanswered, as negotiated
    commands: list[tuple[Command, bytes]] = field(default_factory=list)
    writes: list[int] = field(default_factory=list)  # how many commands came with each read
    address: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak with one MTA until it hangs up."""
        decoder = wire.Decoder()
        turns = {command: list(answers) for command, answers in self.answers.items()}
        while octets := await reader.read(1 << 20):
            frames = decoder.feed(octets)
            self.writes.append(len(frames))
            for word, payload in frames:
                command = Command(word)
                self.commands.append((command, payload))
                writer.write(self._answer(command, turns))
        writer.close()

    def _answer(self, command: Command, turns: Mapping[Command, list[bytes]]) -> bytes:
        if command is Command.NEGOTIATE:
            return wire.negotiate(self.options)
        if command in (Command.MACRO, Command.ABORT, Command.QUIT) or command in self.quiet:
            return b""
        return turns[command].pop(0) if turns.get(command) else CONTINUE

    def told(self, command: Command) -> list[bytes]:
        """Return the payloads of a command."""
        return [payload for one, payload in self.commands if one is command]

    def macros(self, command: Command) -> list[dict[str, str]]:
        """Return the macros that came with a command, each time."""
        found = []
        for payload in self.told(Command.MACRO):
            if payload[:1] == command.value:
                words = payload[1:].decode().split("\0")[:-1]
                found.append(dict(zip(words[::2], words[1::2], strict=True)))
        return found


@asynccontextmanager
async def running(one: Filter, folder: Path) -> AsyncIterator[Filter]:
    """Let a filter listen on a unix socket below a folder."""
    path = folder / "filter.sock"
    one.address = f"unix:{path}"
    server = await asyncio.start_unix_server(one.serve, path)
    try:
        yield one
    finally:
        server.close()
        path.unlink()
