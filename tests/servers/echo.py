"""A Tamis front with a pipeline that tells what it was given, in header fields; a program of its own.

What libmilter is told is global to a process. What the pipeline does is said by the subject: "wait FOLDER"
makes a file there and waits until the folder is gone, "raise", or anything else; with milter.defer_mixed also
by a recipient's name: "later" is turned away with what was known of him, "raise", or anything else.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import uvloop

from tamis.address import parse
from tamis.config import Config
from tamis.decision import Plan, Reply
from tamis.front.session import text
from tamis.message import Envelope, Message, Recipient
from tamis.service import logs, parts
from tamis.ticket import Means


async def tell(message: Message) -> Plan:
    """Return a plan whose fields hold the message's digest and envelope."""
    command, _, argument = message.content.subject.partition(" ")
    if command == "wait":
        folder = Path(argument)
        (folder / str(message.envelope.queue_id)).touch()
        while folder.exists():
            await asyncio.sleep(0.01)
    if command == "raise":
        raise ValueError(message.raw)
    facts = {**asdict(message.envelope), "names": [text(name) for name, _ in message.fields]}
    digest = hashlib.sha256(message.raw).hexdigest()
    return Plan((), Means.UNIFORM, fields=(("X-Digest", digest), ("X-Facts", json.dumps(facts))))


async def admit(envelope: Envelope, recipient: Recipient, *, turned_away: int) -> Reply | None:
    """Turn away who is called so."""
    if recipient.address.startswith("raise"):
        raise ValueError(recipient)
    if not recipient.address.startswith("later"):
        return None
    others = ",".join(one.address for one in envelope.recipients)
    known = f"{envelope.queue_id}: {envelope.mail_from} to {others} and {recipient.meant}"
    return Reply("452", "4.5.3", f"{known}, {turned_away} turned away, 100%")


def main(listen: str, settings: str) -> None:
    """Serve until killed; print a line once the socket is there. Take [milter] as JSON."""
    logs.set_up()
    config = Config.model_validate({"milter": json.loads(settings)})
    one = parts.front(config)
    one.ask = admit if config.milter.defers else None
    listener = one.listen(parse(listen))
    loop = uvloop.new_event_loop()
    loop.run_until_complete(one.serve(tell, listener))
    print("listening", flush=True)
    loop.run_forever()


class Echo:
    """The running program."""

    def __init__(self, address: str, log: Path) -> None:
        self.address = address
        self._log = log

    def log(self) -> str:
        """Return what it has logged so far."""
        return self._log.read_text()


@contextmanager
def echo(front: str, settings: Mapping[str, object] | None = None) -> Iterator[Echo]:
    """Run it on a unix socket of its own, with settings of [milter]."""
    with tempfile.TemporaryDirectory(prefix="tamis-") as folder:
        one = Echo(f"unix:{folder}/front.sock", Path(folder) / "log")
        given = json.dumps({"front": front, "deadline": "30s", **(settings or {})})
        command = [sys.executable, "-m", "tests.servers.echo", one.address, given]
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=Path(__file__).parents[2],
            )
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"listening\n", one.log()
            yield one
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
