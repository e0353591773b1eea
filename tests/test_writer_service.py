"""The writer under `tamis serve`: it is there for several workers, and mail goes on without it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from pathlib import Path

from tests.servers.milter import COMMAND, Milter, StartMilter, children, configuration
from tests.test_service import ENVELOPE, RAW, wait_until
from tests.test_service_life import change, under_load

from tamis.sandbox.client import Connection, Verdict

TWO: dict[str, object] = {"workers": 2}


def writer_of(milter: Milter) -> int:
    """Return the writer's process id, once there is one."""
    wait_until(lambda: milter.writer() is not None)
    pid = milter.writer()
    assert pid is not None
    return pid


def is_used(milter: Milter) -> bool:
    """Send some messages at once; tell whether the writer has the database open, as who writes has."""

    async def send() -> None:
        async with await Connection.open(milter.address, helo="x") as mta:
            assert (await mta.send(ENVELOPE, RAW)).verdict is Verdict.ACCEPT

    async def burst() -> None:
        await asyncio.gather(*(send() for _ in range(8)))

    asyncio.run(burst())
    return any("tamis.db" in one.resolve().name for one in Path(f"/proc/{milter.writer()}/fd").iterdir())


def test_one_worker_has_no_writer(start_milter: StartMilter) -> None:
    milter = start_milter()

    assert len(children(milter.pid)) == 1


def test_several_workers_use_one(start_milter: StartMilter) -> None:
    milter = start_milter({"milter": TWO})

    wait_until(lambda: is_used(milter))

    assert len(children(milter.pid)) == 3


def test_no_message_is_lost_with_the_writer(start_milter: StartMilter) -> None:
    milter = start_milter({"milter": TWO})
    wait_until(lambda: is_used(milter))
    before = len(milter.tickets())
    killed = []

    def kill() -> None:
        for _ in range(3):
            killed.append(writer_of(milter))
            os.kill(killed[-1], signal.SIGKILL)
            wait_until(lambda: milter.writer() not in (None, killed[-1]))

    answers = under_load(milter, kill)

    accepted = [one.verdict for one in answers].count(Verdict.ACCEPT)
    assert {one.verdict for one in answers} <= {Verdict.ACCEPT, Verdict.TEMPFAIL}
    # A ticket that was committed, and could not be told any more, may be of a message that comes again.
    assert accepted <= len(milter.tickets()) - before <= len(answers)
    assert all(f"writer died pid={one} status=-9" in milter.log() for one in killed)
    wait_until(lambda: is_used(milter))


def test_writer_that_hangs_is_replaced(start_milter: StartMilter) -> None:
    milter = start_milter({"milter": TWO | {"deadline": "1s"}, "store": {"timeout": "100ms"}})
    first = writer_of(milter)

    os.kill(first, signal.SIGSTOP)
    wait_until(lambda: milter.writer() not in (None, first))

    assert f"writer hangs and is killed pid={first}" in milter.log()
    wait_until(lambda: milter.send(ENVELOPE, RAW).verdict is Verdict.ACCEPT)


def test_store_that_has_changed_has_a_writer_of_its_own(start_milter: StartMilter) -> None:
    milter = start_milter({"milter": TWO})
    first = writer_of(milter)

    def move() -> None:
        change(milter, milter=TWO, store={"url": f"sqlite:///{milter.config.parent}/other.db"})
        wait_until(lambda: f"writer ended pid={first}" in milter.log())

    answers = under_load(milter, move)

    assert {one.verdict for one in answers} == {Verdict.ACCEPT}
    before = len(milter.tickets())
    milter.send(ENVELOPE, RAW)
    assert len(milter.tickets()) == before + 1
    assert writer_of(milter) != first and "died" not in milter.log()


def test_writer_ends_with_its_supervisor(tmp_path: Path) -> None:
    config = tmp_path / "tamis.toml"
    config.write_text(configuration(tmp_path, {"milter": TWO}, listen=f"unix:{tmp_path}/s"))
    process = subprocess.Popen([*COMMAND, "serve", "--config", str(config)], stderr=subprocess.DEVNULL)
    wait_until(lambda: len(children(process.pid)) == 3)
    pids = children(process.pid)

    process.kill()
    process.wait()

    wait_until(lambda: not any(Path(f"/proc/{one}").exists() for one in pids))
