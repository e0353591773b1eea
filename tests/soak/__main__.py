"""Sends whole collections of mail through a real `tamis serve`: `python -m tests.soak FILE.jsonl.xz ...`.

Fails unless every message is answered without an error or a tempfail, has exactly one ticket, and no line at
warning or above stands in the log.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.bench import messages, servers
from tests.bench.load import Load, Outcome
from tests.servers.clamd import Clamd
from tests.soak.corpus import judge

CONNECTIONS = 32
AT_ONCE = 2000  # messages that are read and encoded before they are sent
ABOUT = "Send collections of mail through Tamis, and see that all is well."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print; 1 where anything is to complain of."""
    options = _parser().parse_args(arguments)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tamis-")))
        clamd = options.clamd or stack.enter_context(Clamd(scratch)).address
        settings = f'[antivirus]\nclamd = "{clamd}"\n'
        server = servers.tamis(
            options.folder.absolute(), options.front, workers=options.workers, settings=settings
        )
        stack.callback(server.stop)
        sent, outcome = _send(server.address, options)
    config = options.folder / "tamis.toml"
    log = server.log.read_text(errors="replace").splitlines()
    result = judge(sent, outcome, _tickets(config), log)
    for name, number in sorted(result.counts.items()):
        print(f"{number:8} {name}")
    print(f"{sent} messages in {outcome.seconds:.1f} s at {options.connections} connections")
    for complaint in result.complaints:
        print(complaint, file=sys.stderr)
    return 1 if result.complaints else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.soak", description=ABOUT)
    parser.add_argument("corpus", type=Path, nargs="+", help="FILE.jsonl.xz")
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    parser.add_argument("--per-connection", type=int, default=1, help="messages that a connection carries")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--front", choices=("stream", "libmilter"), default="stream")
    parser.add_argument("--clamd", help="address of a scanner (default: a private one)")
    parser.add_argument("--folder", type=Path, default=Path("var/soak"), help="for the server's files")
    return parser


def _send(where: str, options: argparse.Namespace) -> tuple[int, Outcome]:
    """Send all messages; return how many they were and what became of them."""
    mails = messages.corpus(options.corpus)
    numbers = itertools.count(1)
    whole = Outcome()
    sent = 0
    while batch := list(itertools.islice(mails, AT_ONCE)):
        load = Load(where, batch, per_connection=options.per_connection)
        whole.add(load.run(options.connections, numbers=numbers))
        sent += len(batch)
        if sys.stderr.isatty():
            print(f"{sent} sent", end="\r", file=sys.stderr, flush=True)
    return sent, whole


def _tickets(config: Path) -> Iterator[dict[str, object]]:
    command = [sys.executable, "-m", "tamis", "tickets", "--json", "--config", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as reader:
        if reader.stdout is not None:
            yield from map(json.loads, reader.stdout)


if __name__ == "__main__":
    sys.exit(main())
