"""The hostile list at full size, through both fronts: `python -m tests.soak.large`.

Prints what each took of the worker's CPU, and how long an honest message waited meanwhile. Fails where one
has no answer within the deadline, an honest message does not get through, memory is not bounded, or the log
complains.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.hostile import FIELDS, Story, many_recipients, stories
from tests.servers.clamd import Clamd
from tests.servers.milter import Milter
from tests.servers.mta import Mta
from tests.test_hostile import TROUBLE, honest

from tamis.sandbox.client import Verdict

ABOUT = "Send the hostile list at full size through Tamis, and see that all is well."
DEADLINE = 60  # seconds
MB = 10**6
MOST = 1000 * MB  # octets of the worker's memory; milter.max_in_memory is 200 MB as shipped
SHOWN = 25  # of the costliest
TICK = os.sysconf("SC_CLK_TCK")


def _of_type(content_type: bytes, body: bytes) -> Story:
    return Story(fields=(*FIELDS, (b"Content-Type", b" " + content_type)), body=body)


def _filled(unit: bytes, octets: int = 50 * MB) -> bytes:
    return unit * (octets // len(unit))


def _parts(content_type: bytes, content: bytes) -> Story:
    part = b"--b\r\nContent-Type: " + content_type + b"\r\n\r\n" + content + b"\r\n"
    return _of_type(b"multipart/mixed; boundary=b", _filled(part))


NOISE = random.Random(1).randbytes(195_000)  # noqa: S311 - the same each time
MULTIPART = b"multipart/mixed; boundary=b"
LARGE: Mapping[str, Callable[[], Story]] = {
    "50 MB in one line": lambda: Story(body=_filled(b"a")),
    "50 MB of blanks": lambda: Story(body=_filled(b" ")),
    "50 MB of line ends": lambda: Story(body=_filled(b"\r\n")),
    "50 MB of NULs": lambda: Story(body=_filled(b"\0")),
    "50 MB of tags": lambda: _of_type(b"text/html", _filled(b"<a<a")),
    "50 MB of delimiters": lambda: _of_type(MULTIPART, _filled(b"--b\r\n\r\n")),
    "50 MB of lines like a delimiter": lambda: _of_type(MULTIPART, _filled(b"x--b\n")),
    "50 MB of messages in messages": lambda: _of_type(
        b"message/rfc822", _filled(b"Content-Type: message/rfc822\r\n\r\n")
    ),
    "50 MB of texts in UTF-32": lambda: _parts(b"text/plain; charset=utf-32", NOISE),
    "50 MB of texts in Shift JIS": lambda: _parts(b"text/plain; charset=shift_jisx0213", NOISE),
    "50 MB of pages": lambda: _parts(b"text/html", b"<b>" * 3_000 + b"</i>" * 10_000),
    "50 MB of base64": lambda: _parts(b"text/plain\r\nContent-Transfer-Encoding: base64", b"QUFB" * 40_000),
    "5 MB of authors": lambda: Story(fields=[*FIELDS, *((b"From", b"<>" * 50_000),) * 50]),
    "5 MB of verifiers": lambda: Story(
        fields=[*FIELDS, *((b"Authentication-Results", b"((x)" * 25),) * 50_000]
    ),
    "100,000 fields": lambda: Story(fields=[*FIELDS, *((b"X-%d" % n, b"") for n in range(100_000))]),
    "100,000 recipients": lambda: Story(recipients=many_recipients(100_000)),
    "twice what is judged": lambda: Story(body=_filled(b"a\r\n", 100 * MB)),
}


@dataclass(frozen=True, slots=True)
class Result:
    """What one of the list came to."""

    name: str
    answer: bytes  # its word, b"" for none
    seconds: float
    cpu: float  # seconds of the worker, those for the honest messages included
    waited: float  # seconds of the honest message that waited longest
    refused: int  # honest messages that did not get through


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print; 1 where anything is to complain of."""
    parser = argparse.ArgumentParser("python -m tests.soak.large", description=ABOUT)
    parser.add_argument("--front", choices=("stream", "libmilter"), action="append")
    parser.add_argument("--connections", type=int, default=500, help="that push 50 MB each")
    options = parser.parse_args(arguments)
    complaints = []
    with tempfile.TemporaryDirectory(prefix="tamis-") as folder, Clamd(Path(folder)) as clamd:
        for front in options.front or ("stream", "libmilter"):
            with tempfile.TemporaryDirectory(prefix="tamis-") as own:
                complaints += _run(front, Path(own), clamd.address, connections=options.connections)
    for one in complaints:
        print(one, file=sys.stderr)
    return 1 if complaints else 0


def _run(front: str, folder: Path, clamd: str, *, connections: int) -> list[str]:
    """Run the list through one front; return what is to complain of."""
    with Milter(folder, {"milter": {"front": front, "deadline": f"{DEADLINE}s"}}, clamd=clamd) as milter:
        results = [asyncio.run(_send(milter, name, make)) for name, make in {**stories(), **LARGE}.items()]
        pushed = asyncio.run(_push(milter, connections))
        most = _memory(milter)
        log = milter.log().splitlines()
    results.sort(key=lambda one: -one.cpu)
    print(f"{front}: {len(results)} messages; the costliest, with the honest ones meanwhile")
    for one in results[:SHOWN]:
        print(f"{one.cpu:6.2f} s CPU {one.seconds:6.2f} s, others waited {one.waited:.2f} s: {one.name}")
    print(f"{connections} connections that push 50 MB each: {pushed}; most memory {most // MB} MB")
    complaints = [f"{front}: no answer: {one.name}" for one in results if one.answer not in (b"c", b"y")]
    complaints += [f"{front}: harms others: {one.name}" for one in results if one.refused]
    complaints += [f"{front}: {line}" for line in log if TROUBLE.search(line)][:SHOWN]
    if most > MOST:
        complaints.append(f"{front}: {most // MB} MB of memory")
    return complaints


async def _send(milter: Milter, name: str, make: Callable[[], Story]) -> Result:
    octets = b"".join(make().commands())
    cpu, start = _cpu(milter), time.monotonic()
    hostile = asyncio.create_task(_verdict(milter, octets))
    waits: list[float] = []
    refused = 0
    while not waits or not hostile.done():
        before = time.monotonic()
        refused += await honest(milter) is not Verdict.ACCEPT
        waits.append(time.monotonic() - before)
        await asyncio.sleep(0.05)
    answer = await hostile
    return Result(name, answer, time.monotonic() - start, _cpu(milter) - cpu, max(waits), refused)


async def _verdict(milter: Milter, octets: bytes) -> bytes:
    async with AsyncExitStack() as stack:
        mta = await Mta.connect(milter.address)
        stack.callback(mta.hang_up)
        await mta.say(octets)
        try:
            async with asyncio.timeout(DEADLINE):
                packets = await mta.answer()
        except TimeoutError:
            return b""
        return packets[-1][0] if packets else b""


async def _push(milter: Milter, connections: int) -> str:
    octets = b"".join(Story(body=_filled(b"a")).commands())
    verdicts = await asyncio.gather(*(_verdict(milter, octets) for _ in range(connections)))
    return f"{verdicts.count(b'c')} taken, {verdicts.count(b'y')} to come again"


def _worker(milter: Milter) -> str:
    (worker,) = Path(f"/proc/{milter.pid}/task/{milter.pid}/children").read_text().split()
    return worker


def _cpu(milter: Milter) -> float:
    """Return seconds of CPU of the worker (proc(5), stat)."""
    fields = Path(f"/proc/{_worker(milter)}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def _memory(milter: Milter) -> int:
    """Return the most octets that the worker has had in memory (proc(5), VmHWM)."""
    status = Path(f"/proc/{_worker(milter)}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


if __name__ == "__main__":
    sys.exit(main())
