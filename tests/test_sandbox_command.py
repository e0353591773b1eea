"""The sandbox as one starts it: `tamis sandbox` and `make run`, with a real Tamis behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.servers.clamd import program
from tests.servers.milter import PATIENCE, StartMilter
from tests.servers.options import visitor
from tests.servers.ports import free_port
from tests.servers.smtp import connection

from tamis import cli
from tamis.sandbox.processes import CommandFailed, Service
from tamis.sandbox.samples import load

SAMPLES = Path(__file__).parent / "samples"
GTUBE = next(sample for sample in load(SAMPLES) if sample.name == "08-gtube")


class Demo:
    """What `make run` starts, in a process group of its own as a terminal gives it; it prints into memory."""

    def __init__(self, var: Path, options: Sequence[str] = ()) -> None:
        module = [sys.executable, "-m", "tamis.sandbox.demo"]
        command = [*module, "--var", str(var), "--samples", str(SAMPLES), *options]
        self.var = var
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, process_group=0
        )
        self.output = ""

    def read_until(self, text: str) -> str:
        """Return what it printed up to a line that begins so; the test fails if it ends before."""
        assert self.process.stdout is not None
        watchdog = threading.Timer(2 * PATIENCE, self.process.kill)
        watchdog.start()
        try:
            for line in self.process.stdout:
                self.output += line
                if line.startswith(text):
                    return self.output
        finally:
            watchdog.cancel()
        raise AssertionError(f"ended without {text!r}:\n{self.output}")

    def stop(self, number: signal.Signals) -> int:
        """Send its whole group a signal; return its exit status."""
        os.killpg(self.process.pid, number)
        rest, _ = self.process.communicate(timeout=PATIENCE)
        self.output += rest
        return self.process.returncode


@contextmanager
def demo(var: Path, options: Sequence[str] = ()) -> Iterator[Demo]:
    one = Demo(var, options)
    try:
        yield one
    finally:
        if one.process.poll() is None:
            one.stop(signal.SIGTERM)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Run a demo with a scanner until it has said all it has to say."""
    clamd, libraries = program()
    options = ["--clamd", str(clamd)] + (["--libraries", str(libraries)] if libraries else [])
    with demo(tmp_path_factory.mktemp("run") / "var", options) as one:
        one.read_until("Running until Ctrl-C")
        yield one


def row(output: str, about: str) -> list[str]:
    """Return the cells of the table's line about a sample."""
    line = next(line for line in output.splitlines() if line.startswith(about + " "))
    return re.split(r"\s{2,}", line)


def test_command_serves_mail_through_the_milter(start_milter: StartMilter, tmp_path: Path) -> None:
    tamis = start_milter({"users.defaults": {"antispam.action": "file"}})
    tamis.do("account", "set", "bob@example.org", "antispam=on")
    port = free_port()
    arguments = ["--listen", f"inet:127.0.0.1:{port}", "--maildir", str(tmp_path / "mail")]

    with (
        Service("sandbox", tamis.config, arguments, log=tmp_path / "log") as service,
        connection(port, client=None) as client,
    ):
        client.send(GTUBE.raw, "bob@example.org")
    status = service.process.returncode

    assert status == 0
    assert len(list((tmp_path / "mail/bob@example.org/.junk/new").iterdir())) == 1


def test_copies_are_taken_as_they_are(start_milter: StartMilter, tmp_path: Path) -> None:
    tamis = start_milter()
    ports = [f"inet:127.0.0.1:{free_port()}" for _ in range(2)]
    arguments = ["--listen", ports[0], "--copies", ports[1], "--maildir", str(tmp_path / "mail")]

    with (
        Service("sandbox", tamis.config, arguments, log=tmp_path / "log"),
        connection(int(ports[1].rpartition(":")[2]), client=None) as client,
    ):
        client.send(GTUBE.raw, "bob@example.org", "someone@example.net")

    (mine,) = (tmp_path / "mail/bob@example.org/new").iterdir()
    assert b"X-Spam" not in mine.read_bytes()
    assert len(list((tmp_path / "mail/outside/new").iterdir())) == 1
    assert tamis.tickets() == []


def test_taken_port_is_named(start_milter: StartMilter, tmp_path: Path) -> None:
    tamis = start_milter()

    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"inet:127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(CommandFailed, match=f"cannot listen on {where}: .*in use"):
            Service("sandbox", tamis.config, ["--listen", where], log=tmp_path / "log").__enter__()


@pytest.mark.parametrize(
    ("option", "text"),
    [
        (["--listen", "inet:192.0.2.1:2525"], "--listen: expected a port on loopback"),
        (["--listen", "unix:/tmp/s"], "--listen: expected a port on loopback"),
        (["--copies", "inet:192.0.2.1:2525"], "--copies: expected a port on loopback"),
        (["--milter", "nonsense"], 'expected "unix:/PATH" or "inet:HOST:PORT"'),
        (["--client", "nobody"], '--client: expected an IP address, got "nobody"'),
    ],
)
def test_wrong_option_is_named(
    option: list[str], text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "tamis.toml"
    config.write_text('[mail]\ndomains = ["example.org"]\n')

    status = cli.main(["sandbox", "--config", str(config), *option])

    assert status == 2
    assert text in capsys.readouterr().err


def test_demo_shows_each_kind_of_mail(shown: Demo) -> None:
    letter = row(shown.output, "personal letter")
    assert (letter[2], letter[4:7]) == ("clean", ["none", "deliver", "anna"])
    assert row(shown.output, "newsletter")[4:7] == ["newsletter", "file", "bob/.newsletters"]
    assert row(shown.output, "social notice")[4:7] == ["social", "file", "bob/.social"]
    assert row(shown.output, "mailing-list post")[4:7] == ["list", "file", "bob/.lists"]
    assert row(shown.output, "spam test GTUBE")[3:7] == ["spam 1000.0", "none", "file", "bob/.junk"]
    assert row(shown.output, "phishing")[3].startswith("spam ")
    assert row(shown.output, "virus test EICAR")[2] == "infected"
    assert "550 5.7.1 Message contains malware (" in shown.output
    assert row(shown.output, "EICAR in a zip")[2:7] == ["off", "off", "off", "deliver", "carol"]
    assert row(shown.output, "newsletter to three")[5:7] == ["mark", "anna"]
    assert "(each as if alone: a copy for those who are due other header fields)" in shown.output
    assert row(shown.output, "letter from Anna")[5:7] == ["deliver", "outside"]


def test_demo_says_how_to_go_on(shown: Demo) -> None:
    for text in ("tickets --config", "account set --config", "swaks --server", "smtpd_milters = unix:"):
        assert text in shown.output


def test_demo_has_a_web_page_that_lets_in_who_knows_the_password(shown: Demo) -> None:
    said = re.search(
        r"^web page +http://127\.0\.0\.1:(\d+): sign in as (\S+), password (.+)$", shown.output, re.M
    )

    assert said is not None
    assert visitor(int(said[1])).sign_in(said[2], said[3]).location == "/reception"


def test_second_demo_in_the_same_folder_is_refused(shown: Demo) -> None:
    second = Demo(shown.var)
    rest, _ = second.process.communicate(timeout=PATIENCE)

    assert second.process.returncode == 1
    assert "running already" in rest
    assert "Traceback" not in rest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_demo_stops_in_good_order(number: signal.Signals, tmp_path: Path) -> None:
    with demo(tmp_path / "var") as one:
        one.read_until("Running until Ctrl-C")
        status = one.stop(number)

    assert status == 0
    assert "Traceback" not in one.output
    assert not (tmp_path / "var/milter.sock").exists()
