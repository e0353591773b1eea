"""Sends whole collections of mail through a real `tamis serve`: `python -m tests.soak FILE.jsonl.xz ...`.

Fails unless every message is answered without an error or a tempfail, has exactly one ticket, and no line at
warning or above stands in the log. With --messages they are sent over and over, with the hostile list between
them, and the server must stay as it was: memory, descriptors, threads and latency.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path

from tests.bench import messages, servers
from tests.bench.frames import Mail
from tests.bench.load import Load, Outcome
from tests.servers.clamd import Clamd
from tests.soak.corpus import judge
from tests.soak.hostile import EXPLAINED, Hostile
from tests.soak.watch import Watch, watch

CONNECTIONS = 32
AT_ONCE = 2000  # messages between two looks at the server
SEED = 1  # of the order of messages
NEVER_REPLACED = 'recycle_messages = 0\nrecycle_memory = "1000GB"\n'
ABOUT = "Send collections of mail through Tamis, and see that all is well."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print; 1 where anything is to complain of."""
    options = _parser().parse_args(arguments)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tamis-")))
        clamd = options.clamd or stack.enter_context(Clamd(scratch)).address
        server = servers.tamis(
            options.folder.absolute(),
            options.front,
            workers=options.workers,
            settings=f'[antivirus]\nclamd = "{clamd}"\n',
            milter="" if options.replace else NEVER_REPLACED,
        )
        stack.callback(server.stop)
        seen = watch(server, options.workers)
        sent, outcome = _send(seen, options)
        last = seen.handles()
    log = server.log.read_text(errors="replace").splitlines()
    if options.messages:
        log = [line for line in log if not EXPLAINED.search(line)]
    result = judge(sent, outcome, servers.tickets(options.folder), log)
    for name, number in sorted(result.counts.items()):
        print(f"{number:8} {name}")
    print(f"{sent} messages in {outcome.seconds:.1f} s at {options.connections} connections")
    print(*seen.report(last), sep="\n")
    complaints = [*result.complaints, *seen.complaints(last)]
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    return 1 if complaints else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.soak", description=ABOUT)
    parser.add_argument("corpus", type=Path, nargs="+", help="FILE.jsonl.xz")
    parser.add_argument("--messages", type=int, help="over and over until so many, with the hostile list")
    parser.add_argument("--replace", action="store_true", help="let worn workers be replaced, as shipped")
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    parser.add_argument("--per-connection", type=int, default=1, help="messages that a connection carries")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--front", choices=("stream", "libmilter"), default="stream")
    parser.add_argument("--clamd", help="address of a scanner (default: a private one)")
    parser.add_argument("--folder", type=Path, default=Path("var/soak"), help="for the server's files")
    return parser


def _send(seen: Watch, options: argparse.Namespace) -> tuple[int, Outcome]:
    """Send all messages; return how many they were and what became of them."""
    numbers = itertools.count(1)
    mails = messages.corpus(options.corpus)
    if options.messages:
        mails = iter(messages.shuffled(list(mails), seed=SEED))
    loads = list(_loads(seen.server.address, mails, options.per_connection))
    hostile = Hostile(seen.server.address, seed=SEED, parts=len(loads)) if options.messages else None
    whole = Outcome()
    sent = 0
    while not sent or (options.messages and sent < options.messages):
        lap = Outcome()
        for load in loads:
            with hostile or nullcontext():
                lap.add(load.run(options.connections, numbers=numbers))
            seen.look(sent + lap.verdicts.total())
            if sys.stderr.isatty():
                print(f"{sent + lap.verdicts.total()} sent", end="\r", file=sys.stderr, flush=True)
        sent += sum(map(len, loads))
        seen.end_lap(lap)
        whole.add(lap)
    return sent, whole


def _loads(where: str, mails: Iterable[Mail], per_connection: int) -> Iterator[Load]:
    """Yield the messages encoded, some at once."""
    waiting = iter(mails)
    while batch := list(itertools.islice(waiting, AT_ONCE)):
        yield Load(where, batch, per_connection=per_connection)


if __name__ == "__main__":
    sys.exit(main())
