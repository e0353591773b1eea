"""The files for systemd: judged by systemd's own programs, and Tamis run in what the unit leaves to it."""

from __future__ import annotations

import grp
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.servers import clamd as scanner
from tests.servers import mail, systemd
from tests.servers.clamd import Clamd
from tests.servers.milter import Milter
from tests.servers.postfix import SUDO
from tests.servers.systemd import FILES, OPTIONS, PURGE, TIMER, UNIT

from tamis import units
from tamis.checks.clamd import parse
from tamis.config import Config
from tamis.message import Envelope, Recipient
from tamis.sandbox.client import Verdict
from tamis.service import supervisor

CLAMD = FILES / "clamav-daemon.service.d"
EXPOSURE = 20  # tenths of systemd-analyze's points: below it, "OK"
BOB = Envelope(mail_from="pat@example.net", recipients=(Recipient("bob@example.org"),), queue_id="4XyZ")
GROUPS = "root:x:0:\npostfix:x:105:\n"
USERS = "root:x:0:0::/root:/bin/sh\npostfix:x:105:105::/var/spool/postfix:/usr/sbin/nologin\n"


def verified(folder: Path, unit: str, text: str) -> str:
    """Return what systemd-analyze has against a unit, once its program is one that is here."""
    (folder / unit).write_text(re.sub("ExecStart=[^ ]+", f"ExecStart={sys.executable}", text))
    done = systemd.run("usr/bin/systemd-analyze", "verify", "--man=no", folder / unit, units=folder)
    return done.stdout + done.stderr


# --- The unit --------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", [UNIT, OPTIONS, PURGE], ids=lambda unit: unit.name)
def test_systemd_understands_the_unit(tmp_path: Path, unit: Path) -> None:
    assert verified(tmp_path, unit.name, unit.read_text()) == ""


@pytest.mark.parametrize("unit", [UNIT, OPTIONS, PURGE], ids=lambda unit: unit.name)
def test_the_unit_leaves_little_to_an_intruder(unit: Path) -> None:
    arguments = ("security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE}")

    done = systemd.run("usr/bin/systemd-analyze", *arguments, unit)

    assert done.returncode == 0, done.stdout


def test_stopping_lasts_as_long_as_draining_may() -> None:
    patience = units.duration(systemd.settings()["TimeoutStopSec"][0])

    assert patience > Config().milter.drain + supervisor.MARGIN


def test_content_reaches_neither_swap_nor_a_core_dump_nor_a_disk() -> None:
    settings = systemd.settings()

    assert (settings["MemorySwapMax"], settings["LimitCORE"]) == (["0"], ["0"])
    assert settings["Environment"] == [f"TMPDIR=/run/{settings['RuntimeDirectory'][0]}"]


def test_what_is_down_at_night_is_started_again() -> None:
    settings = systemd.settings()

    assert (settings["Restart"], settings["StartLimitIntervalSec"]) == (["always"], ["0"])


def test_a_purge_runs_each_day_and_is_made_up_for(tmp_path: Path) -> None:
    (tmp_path / PURGE.name).write_text(
        re.sub("ExecStart=[^ ]+", f"ExecStart={sys.executable}", PURGE.read_text())
    )

    assert verified(tmp_path, TIMER.name, TIMER.read_text()) == ""
    assert systemd.settings(TIMER)["Persistent"] == ["yes"]


def test_a_purge_does_not_take_the_services_folder_away() -> None:
    assert systemd.settings(PURGE)["RuntimeDirectory"] != systemd.settings()["RuntimeDirectory"]


# --- clamd's drop-in -------------------------------------------------------------------------------


def test_systemd_understands_clamds_drop_in(tmp_path: Path) -> None:
    drop_in = CLAMD / "tamis.conf"
    (tmp_path / CLAMD.name).mkdir()
    (tmp_path / CLAMD.name / drop_in.name).write_text(drop_in.read_text())
    service = scanner.UNPACKED / "lib/systemd/system/clamav-daemon.service"
    (tmp_path / "clamav-daemon.socket").write_text("[Socket]\nListenStream=/run/clamav/clamd.ctl\n")

    assert verified(tmp_path, service.name, service.read_text()) == ""


def test_clamd_unpacks_where_its_drop_in_has_memory() -> None:
    folder, _, _ = systemd.settings(CLAMD / "tamis.conf")["TemporaryFileSystem"][0].partition(":")
    shipped = parse((FILES.parent / "conf/clamd.conf").read_text())

    assert shipped["TemporaryDirectory"] == (folder,)


# --- What the unit leaves to Tamis -----------------------------------------------------------------


def confinement(unit: Path = UNIT) -> tuple[str, ...]:
    """Return the program that lets the next one do what a unit allows."""
    calls = ",".join(sorted(systemd.system_calls(unit)))
    (families,) = systemd.settings(unit)["RestrictAddressFamilies"]
    return (sys.executable, "-m", "tests.servers.confined", calls, ",".join(families.split()))


@pytest.mark.parametrize("front", ["stream", "libmilter"])
def test_every_kind_of_message_is_served_in_confinement(tmp_path: Path, clamd: Clamd, front: str) -> None:
    group = grp.getgrgid(os.getegid()).gr_name
    overrides: Mapping[str, Mapping[str, object]] = {
        "milter": {"front": front, "workers": 2, "socket_group": group},
        "metrics": {"file": f"{tmp_path}/tamis.prom"},
    }
    with Milter(tmp_path, overrides, clamd=clamd.address, prefix=confinement()) as milter:
        kinds = (mail.letter, mail.gtube, mail.newsletter, mail.eicar_in_zip)

        verdicts = [milter.send(BOB, kind()).verdict for kind in kinds]
        milter.reload()
        verdicts.append(milter.send(BOB, mail.letter()).verdict)

    assert verdicts == [*[Verdict.ACCEPT] * 3, Verdict.REJECT, Verdict.ACCEPT]
    assert "died" not in milter.log()


@pytest.mark.parametrize(
    "forbidden",
    [
        "import os; os.chroot('/')",
        "import mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC)",
        "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        "import os; os.sched_setaffinity(0, {0})",
    ],
)
def test_what_tamis_does_not_need_is_forbidden(forbidden: str) -> None:
    program = f"print('begun', flush=True); {forbidden}; print('done')"

    done = subprocess.run([*confinement(), sys.executable, "-c", program], capture_output=True, timeout=30)

    assert (done.returncode, done.stdout) == (-signal.SIGSYS, b"begun\n"), done.stderr.decode()


# --- Users and folders -----------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """Return the root of a host with Postfix, on which the users have been made."""
    folder = tmp_path / "root"
    (folder / "etc").mkdir(parents=True)
    (folder / "etc/passwd").write_text(USERS)
    (folder / "etc/group").write_text(GROUPS)
    done = systemd.run("bin/systemd-sysusers", f"--root={folder}", FILES / "sysusers.d/tamis.conf")
    assert done.returncode == 0, done.stderr
    yield folder
    subprocess.run([*SUDO, "rm", "-rf", folder], check=True)


def numbers(root: Path, file: str, column: int) -> dict[str, int]:
    lines = (line.split(":") for line in (root / "etc" / file).read_text().splitlines())
    return {fields[0]: int(fields[column]) for fields in lines}


def test_tamis_has_a_user_and_may_ask_clamd(root: Path) -> None:
    members = dict(line.split(":x:")[::1] for line in (root / "etc/group").read_text().splitlines())

    assert "tamis" in numbers(root, "passwd", 2)
    assert members["clamav"].endswith(":tamis")


def test_folders_belong_to_whom_they_should(root: Path) -> None:
    files = [FILES / "tmpfiles.d" / name for name in ("tamis.conf", "tamis-postfix.conf")]
    done = systemd.run("bin/systemd-tmpfiles", f"--root={root}", "--create", *files)
    assert done.returncode == 0, done.stderr

    def shown(path: str) -> str:
        status = (root / path).stat()
        user = {number: name for name, number in numbers(root, "passwd", 2).items()}[status.st_uid]
        group = {number: name for name, number in numbers(root, "group", 2).items()}[status.st_gid]
        return f"{stat.S_IMODE(status.st_mode):04o} {user}:{group}"

    folders = ("etc/tamis", "var/lib/tamis", "var/spool/postfix/tamis")
    assert [shown(path) for path in folders] == [
        "0750 root:tamis",
        "2770 tamis:tamis",
        "2750 tamis:postfix",
    ]
