"""`tamis serve`: socket, workers, signals."""

from __future__ import annotations

import asyncio
import os
import re
import resource
import signal
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.servers.clamd import Behaviour, CountingClamd
from tests.servers.milter import COMMAND, PATIENCE, Milter, StartMilter, children, configuration

from tamis.message import Envelope, Recipient
from tamis.sandbox.client import Answer, Connection, Verdict
from tamis.service import worker

ENVELOPE = Envelope(mail_from="anna@example.net", recipients=(Recipient("bob@example.org"),), queue_id="4XyZ")
FRONTS = ("stream", "libmilter")
RAW = b"From: anna@example.net\r\nTo: bob@example.org\r\nSubject: hello\r\n\r\nHello Bob\r\n"


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "does not come"
        time.sleep(0.02)


# Root may give files away; Tamis as a service may not (systemd/tamis.service).
WITHOUT_CHOWN = ("setpriv", "--bounding-set=-chown") if os.geteuid() == 0 else ()


def serve(folder: Path, listen: str, **overrides: dict[str, object]) -> subprocess.CompletedProcess[str]:
    """Run `tamis serve` where it cannot serve."""
    config = folder / "other.toml"
    config.write_text(configuration(folder, overrides, listen=listen))
    command = [*WITHOUT_CHOWN, *COMMAND, "serve", "--config", str(config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)


def path_of(milter: Milter) -> Path:
    return Path(milter.address.removeprefix("unix:"))


@pytest.mark.parametrize("front", FRONTS)
def test_each_message_leaves_one_line_with_its_ticket(start_milter: StartMilter, front: str) -> None:
    milter = start_milter({"milter": {"front": front}})

    milter.send(ENVELOPE, RAW)

    (ticket,) = milter.tickets()
    lines = [line for line in milter.log().splitlines() if "4XyZ" in line]
    assert len(lines) == 1
    assert f"4XyZ: ticket={ticket['id']} direction=incoming antivirus=off" in lines[0]
    assert "example" not in lines[0]


@pytest.mark.parametrize("front", FRONTS)
def test_workers_share_one_socket(start_milter: StartMilter, front: str) -> None:
    milter = start_milter({"milter": {"workers": 2, "front": front}})

    async def burst() -> None:
        async def one() -> None:
            async with await Connection.open(milter.address, helo="x") as mta:
                assert (await mta.send(ENVELOPE, RAW)).verdict is Verdict.ACCEPT

        await asyncio.gather(*(one() for _ in range(40)))

    def all_have_served() -> bool:
        asyncio.run(burst())
        served = set(re.findall(r"tamis\[(\d+)\] info: 4XyZ", milter.log()))
        return served == {str(pid) for pid in milter.workers()}

    wait_until(all_have_served)


def test_stopping_removes_the_socket(start_milter: StartMilter) -> None:
    milter = start_milter()

    milter.stop()

    assert not path_of(milter).exists()


@pytest.mark.parametrize("front", FRONTS)
def test_message_in_hand_is_answered_when_the_service_stops(start_milter: StartMilter, front: str) -> None:
    with CountingClamd(Behaviour.HANG) as clamd:
        overrides = {"antivirus": {"timeout": "1s"}, "milter": {"front": front}}
        milter = start_milter(overrides, clamd=clamd.address)

        async def story() -> Answer:
            async with await Connection.open(milter.address, helo="x") as mta:
                sent = asyncio.create_task(mta.send(ENVELOPE, RAW))
                assert await asyncio.to_thread(clamd.asked.wait, PATIENCE)
                os.kill(milter.pid, signal.SIGTERM)
                return await sent

        answer = asyncio.run(story())
        milter.stop()

    assert answer.reply is not None
    assert re.fullmatch(r"451 4\.7\.1 .* \[[0-9A-Z]{26}\]", answer.reply)


def test_socket_that_nobody_serves_is_replaced(start_milter: StartMilter, tmp_path: Path) -> None:
    path = tmp_path / "stale.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))

    milter = start_milter(listen=f"unix:{path}")

    assert milter.send(ENVELOPE, RAW).verdict is Verdict.ACCEPT


def test_socket_that_somebody_serves_is_respected(start_milter: StartMilter, tmp_path: Path) -> None:
    milter = start_milter()

    second = serve(tmp_path, milter.address)

    assert second.returncode == 2
    assert f"{milter.address}: another process listens there" in second.stderr
    assert milter.send(ENVELOPE, RAW).verdict is Verdict.ACCEPT


def test_file_that_is_no_socket_is_respected(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("precious")

    done = serve(tmp_path, f"unix:{path}")

    assert (done.returncode, path.read_text()) == (2, "precious")
    assert "no socket" in done.stderr


def test_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"inet:127.0.0.1:{taken.getsockname()[1]}"

        done = serve(tmp_path, listen)

    assert done.returncode == 2
    assert f"cannot listen on {listen}: Address already in use" in done.stderr


def test_unknown_group_is_named(tmp_path: Path) -> None:
    done = serve(tmp_path, f"unix:{tmp_path}/s", milter={"socket_group": "no-such-group"})

    assert done.returncode == 2
    assert "milter.socket_group: there is no group no-such-group" in done.stderr


def test_group_without_tamis_is_named(tmp_path: Path) -> None:
    done = serve(tmp_path, f"unix:{tmp_path}/s", milter={"socket_group": "news"})

    assert done.returncode == 2
    assert "milter.socket_group: the user that runs this is not in the group news" in done.stderr


def test_wrong_configuration_refuses_to_start(tmp_path: Path) -> None:
    done = serve(tmp_path, f"unix:{tmp_path}/s", antivirus={"on_error": "ignore"})

    assert done.returncode == 2
    assert 'antivirus.on_error: expected "tempfail" or "pass", got "ignore"' in done.stderr


def test_weight_of_an_unknown_rule_is_refused_with_its_line(tmp_path: Path) -> None:
    done = serve(tmp_path, f"unix:{tmp_path}/s", antispam={"weights": {"SUBJECT_ALLCAPS": 1.0}})

    assert done.returncode == 2
    assert re.search(
        r"other\.toml line \d+: antispam\.weights\.SUBJECT_ALLCAPS: .*mean SUBJECT_ALL_CAPS\?", done.stderr
    )


@pytest.mark.parametrize(("mode", "expected"), [("0660", 0o660), ("666", 0o666)])
def test_socket_has_the_configured_mode(start_milter: StartMilter, mode: str, expected: int) -> None:
    milter = start_milter({"milter": {"socket_mode": mode}})

    assert stat.S_IMODE(path_of(milter).stat().st_mode) == expected


def test_worker_ends_with_a_thread_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    statuses: list[int] = []
    monkeypatch.setattr(os, "_exit", statuses.append)
    monkeypatch.setattr(threading, "excepthook", worker.thread_failed)

    thread = threading.Thread(target=[].pop)
    thread.start()
    thread.join()

    assert statuses == [1]


def test_worker_that_cannot_be_started_is_started_later(start_milter: StartMilter) -> None:
    milter = start_milter()
    (first,) = children(milter.pid)
    before = resource.prlimit(milter.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(milter.pid, resource.RLIMIT_NOFILE, (0, before[1]))

    os.kill(first, signal.SIGKILL)
    wait_until(lambda: "cannot start a worker error=Too many open files" in milter.log())
    resource.prlimit(milter.pid, resource.RLIMIT_NOFILE, before)

    wait_until(lambda: children(milter.pid) not in ([], [first]))
    assert milter.send(ENVELOPE, RAW).verdict is Verdict.ACCEPT


def test_service_that_stops_is_out_of_reach_at_once(start_milter: StartMilter) -> None:
    with CountingClamd(Behaviour.HANG) as clamd:
        milter = start_milter(clamd=clamd.address)

        async def story() -> None:
            async with await Connection.open(milter.address, helo="x") as mta:
                sent = asyncio.create_task(mta.send(ENVELOPE, RAW))
                assert await asyncio.to_thread(clamd.asked.wait, PATIENCE)
                os.kill(milter.pid, signal.SIGTERM)
                await asyncio.to_thread(wait_until, lambda: not path_of(milter).exists())
                assert not sent.done()
                clamd.let_go()
                await sent

        asyncio.run(story())


def test_dead_worker_is_replaced(start_milter: StartMilter) -> None:
    milter = start_milter()
    (first,) = children(milter.pid)

    os.kill(first, signal.SIGKILL)

    wait_until(lambda: children(milter.pid) not in ([], [first]))
    assert milter.send(ENVELOPE, RAW).verdict is Verdict.ACCEPT
    assert f"worker died pid={first} status=-9" in milter.log()


def test_workers_end_with_their_supervisor(start_milter: StartMilter, tmp_path: Path) -> None:
    config = tmp_path / "tamis.toml"
    config.write_text(configuration(tmp_path, listen=f"unix:{tmp_path}/s"))
    process = subprocess.Popen([*COMMAND, "serve", "--config", str(config)], stderr=subprocess.DEVNULL)
    wait_until(lambda: bool(children(process.pid)))
    (worker,) = children(process.pid)

    process.kill()
    process.wait()

    wait_until(lambda: not Path(f"/proc/{worker}").exists())


def test_descriptors_are_limited_by_the_hard_limit_alone(start_milter: StartMilter) -> None:
    milter = start_milter()

    (worker,) = children(milter.pid)
    found = re.search(r"Max open files\s+(\d+)\s+(\d+)", Path(f"/proc/{worker}/limits").read_text())
    assert found is not None
    assert found[1] == found[2]


@pytest.mark.parametrize("front", FRONTS)
def test_signals_to_all_processes_end_the_service_in_good_order(
    start_milter: StartMilter, front: str
) -> None:
    milter = start_milter({"milter": {"front": front, "workers": 2}})

    for pid in (*children(milter.pid), milter.pid):
        os.kill(pid, signal.SIGTERM)
    milter.stop()

    assert "died" not in milter.log()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_that_come_while_the_service_ends_do_not_kill_it(
    start_milter: StartMilter, number: signal.Signals
) -> None:
    milter = start_milter()

    os.kill(milter.pid, signal.SIGTERM)
    while milter._process.poll() is None:
        os.kill(milter.pid, number)
        time.sleep(0.001)

    assert milter._process.returncode == 0


def test_no_process_may_dump_core(start_milter: StartMilter) -> None:
    milter = start_milter()

    for pid in (milter.pid, *children(milter.pid)):
        assert re.search(r"Max core file size\s+0\s+0", Path(f"/proc/{pid}/limits").read_text())


def test_terminals_interrupt_is_for_the_supervisor_alone(start_milter: StartMilter) -> None:
    milter = start_milter()

    groups = {os.getpgid(pid) for pid in children(milter.pid)}

    assert os.getpgid(milter.pid) not in groups
