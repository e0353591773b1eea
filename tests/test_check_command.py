"""`tamis check`: what an operator reads, and the exit status."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers.clamd import Clamd, CountingClamd, program
from tests.servers.milter import configuration
from tests.servers.ports import free_port
from tests.servers.postfix import PROGRAMS, Postfix
from tests.servers.smtp import Sink

from tamis import cli
from tamis.checks import clamd as clamd_checks
from tamis.sandbox.scanner import PrivateClamd
from tamis.wiring import postfix, sendmail

MILTER = "inet:127.0.0.1:8891"
WIRED = f"""
compatibility_level = 3.6
mydestination = example.org
smtpd_milters = {MILTER}
non_smtpd_milters = {MILTER}
milter_default_action = tempfail
milter_content_timeout = 300s
recipient_delimiter = +
"""


class Check:
    """What `tamis check` says of a configuration."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder = folder
        self._capsys = capsys

    def __call__(self, clamd: str, **sections: dict[str, object]) -> int:
        """Run it and keep its lines; return the exit status."""
        file = self._folder / "tamis.toml"
        file.write_text(configuration(self._folder, sections, listen=MILTER, clamd=clamd))
        status = cli.main(["check", "--json", "--config", str(file)])
        self._lines = [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]
        return status

    def of(self, part: str) -> list[tuple[str, str]]:
        """Return the status and text of a part's lines."""
        return [(line["status"], line["detail"]) for line in self._lines if line["part"] == part]


@pytest.fixture
def check(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Check:
    """Return a check on a host without an MTA."""
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(postfix, "FOLDERS", ())
    monkeypatch.setattr(sendmail, "FILES", ())
    return Check(tmp_path, capsys)


def write(file: Path, text: str) -> None:
    """Write one of Postfix's files, long ago: Postfix lets a file cool down for a second."""
    file.write_text(text)
    os.utime(file, (0, 0))


@pytest.fixture
def main_cf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the main.cf of a Postfix that `tamis check` finds."""
    folder = tmp_path / "postfix"
    folder.mkdir()
    write(folder / "master.cf", "smtp inet n - y - - smtpd\ncleanup unix n - y - 0 cleanup\n")
    write(folder / "main.cf", WIRED)
    monkeypatch.setenv("PATH", f"{PROGRAMS}/usr/sbin:{os.environ['PATH']}")
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{PROGRAMS}/usr/lib/postfix")
    monkeypatch.setenv("MAIL_CONFIG", str(folder))
    return folder / "main.cf"


@pytest.fixture(scope="module")
def clamd_on_disk() -> Iterator[PrivateClamd]:
    """Run a clamd that unpacks mail onto a disk, at least as /proc tells it."""
    path, libraries = program()
    with tempfile.TemporaryDirectory(prefix="tamis-") as name:
        settings = {"TemporaryDirectory": "/proc"}  # no tmpfs on any machine
        with PrivateClamd(path, Path(name), libraries=libraries, settings=settings) as running:
            yield running


def test_a_good_setup_has_warnings_at_most(check: Check, clamd: Clamd) -> None:
    assert check(clamd.address) == 0


def test_clamd_is_shown_with_its_version(check: Check, clamd: Clamd) -> None:
    check(clamd.address)

    assert check.of("clamd")[0][1].startswith(f"{clamd.address}: ClamAV ")


def test_a_local_clamd_that_unpacks_in_memory_is_right(check: Check, clamd: Clamd) -> None:
    check(clamd.address)

    assert check.of("clamd")[1] == (
        "ok",
        f"TemporaryDirectory {clamd.temporary_directory} ({clamd.configuration}) is in memory",
    )


def test_a_local_clamd_that_unpacks_onto_a_disk_fails(check: Check, clamd_on_disk: PrivateClamd) -> None:
    assert check(clamd_on_disk.address) == 1
    assert check.of("clamd")[1][0] == "failed"


def test_a_clamd_on_a_port_of_this_host_is_a_local_one(check: Check, clamd: Clamd) -> None:
    check(f"inet:127.0.0.1:{clamd.port}")

    assert check.of("clamd")[1][1].endswith("is in memory")


def test_a_clamd_whose_configuration_is_hidden_is_a_warning(check: Check) -> None:
    with CountingClamd(b"ClamAV 1.4.6\n") as clamd:
        status = check(clamd.address)

    assert (status, check.of("clamd")[1][0]) == (0, "warning")


def test_a_clamd_that_is_away_fails(check: Check) -> None:
    assert check("unix:/nonexistent/clamd.ctl") == 1
    assert check.of("clamd")[0] == ("failed", "unix:/nonexistent/clamd.ctl: No such file or directory")


def test_something_else_on_clamds_port_fails(check: Check) -> None:
    with CountingClamd(b"") as clamd:
        clamd.pong = b"220 mail.example.org ESMTP"

        assert check(clamd.address) == 1


def test_a_wrong_configuration_fails(check: Check, clamd: Clamd) -> None:
    assert check(clamd.address, antispam={"marc": 4.0}) == 1
    assert "did you mean antispam.mark?" in check.of("configuration")[0][1]


def test_the_store_and_the_models_are_checked(check: Check, clamd: Clamd) -> None:
    check(clamd.address)

    assert [status for part in ("store", "models") for status, _ in check.of(part)] == ["ok", "ok"]


def test_metrics_that_can_be_written_are_right(check: Check, clamd: Clamd, tmp_path: Path) -> None:
    check(clamd.address, metrics={"file": f"{tmp_path}/tamis.prom"})

    ((status, text),) = check.of("metrics")
    assert status == "ok"
    assert text.startswith(f"{tmp_path}/tamis.prom can be written by ")


def test_metrics_that_cannot_be_written_are_a_warning(check: Check, clamd: Clamd) -> None:
    status = check(clamd.address, metrics={"file": "/nonexistent/tamis.prom"})

    assert (status, check.of("metrics")[0][0]) == (0, "warning")


def test_nothing_is_said_of_metrics_that_nobody_wants(check: Check, clamd: Clamd) -> None:
    check(clamd.address)

    assert check.of("metrics") == []


def test_how_long_records_are_kept_is_shown(check: Check, clamd: Clamd) -> None:
    check(clamd.address, retention={"preset": "mailpro"})

    ((status, text),) = check.of("retention")
    assert status == "ok"
    assert text.startswith("mailpro: account 45d to 60d after closing; ticket up to 1 year, ")
    assert text.endswith("copy_guard up to 1h; personal_model 45d to 60d after closing")


def test_subjects_in_tickets_are_said_to_be_content(check: Check, clamd: Clamd) -> None:
    assert check(clamd.address, tickets={"fields": ["size", "subject"]}) == 0

    ((status, text),) = check.of("tickets")
    assert (status, "a subject is content" in text) == ("warning", True)


def test_a_promise_that_own_figures_break_is_a_warning(check: Check, clamd: Clamd) -> None:
    own: dict[str, object] = {"preset": "mailo", "log": {"age": {"ceiling": "2 months"}}}

    status = check(clamd.address, retention=own)

    assert (status, check.of("retention")[1][0]) == (0, "warning")
    assert "kept for 1 month then deleted automatically" in check.of("retention")[1][1]


@pytest.mark.parametrize("table", ["milter", "options"])
def test_a_group_that_is_not_there_fails(check: Check, clamd: Clamd, table: str) -> None:
    given: dict[str, dict[str, object]] = {table: {"socket_group": "nobody-of-ours"}}

    assert check(clamd.address, **given) == 1

    why = f"{table}.socket_group: there is no group nobody-of-ours"
    assert ("failed", why) in check.of("configuration")


def test_a_missing_relay_is_a_warning(check: Check, clamd: Clamd) -> None:
    check(clamd.address)

    assert check.of("relay")[0][0] == "warning"


def test_who_is_deferred_gets_more_than_what_all_of_them_want(check: Check, clamd: Clamd) -> None:
    check(clamd.address, milter={"defer_mixed": True})

    ((_, text),) = check.of("relay")
    assert "who are not deferred get only what all of them want" in text


def test_a_relay_that_offers_all_is_right(check: Check, clamd: Clamd, postfix: Postfix) -> None:
    where = f"inet:127.0.0.1:{postfix.copies}"

    check(clamd.address, resend={"relay": where})

    assert [line for line in check.of("relay") if where in line[1]] == [("ok", f"{where}: answers")]


def test_a_relay_that_offers_less_is_a_warning(check: Check, clamd: Clamd) -> None:
    sink = Sink(free_port())

    status = check(clamd.address, resend={"relay": f"inet:127.0.0.1:{sink.port}"})

    sink.stop()
    missed = [text.split(" offer ")[1].split(":")[0] for _, text in check.of("relay") if " offer " in text]
    assert (status, missed) == (0, ["XFORWARD", "DSN"])


def test_a_relay_that_does_not_answer_has_failed(check: Check, clamd: Clamd) -> None:
    status = check(clamd.address, resend={"relay": "unix:/nonexistent/relay"})

    assert status == 1
    assert ("failed", "unix:/nonexistent/relay: connect: FileNotFoundError") in check.of("relay")


def test_a_host_without_an_mta_is_a_warning(check: Check, clamd: Clamd) -> None:
    check(clamd.address)

    assert [status for status, _ in check.of("mta")] == ["warning"]


def test_lines_can_be_read_by_people(
    check: Check, clamd: Clamd, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    check(clamd.address)

    cli.main(["check", "--config", str(tmp_path / "tamis.toml")])

    assert f"ok       configuration  {tmp_path}/tamis.toml\n" in capsys.readouterr().out


# --- Postfix ---------------------------------------------------------------------------------------


def test_a_wired_postfix_is_right(check: Check, main_cf: Path, clamd: Clamd) -> None:
    assert check(clamd.address) == 0
    assert {status for status, _ in check.of("mta")} == {"ok"}


def test_a_postfix_that_does_not_ask_tamis_fails(check: Check, main_cf: Path, clamd: Clamd) -> None:
    write(main_cf, f"{WIRED}smtpd_milters = inet:127.0.0.1:11332\n")

    assert check(clamd.address) == 1


def test_what_is_unwise_in_postfix_is_a_warning(check: Check, main_cf: Path, clamd: Clamd) -> None:
    write(main_cf, f"{WIRED}non_smtpd_milters =\n")

    assert check(clamd.address) == 0
    assert "warning" in {status for status, _ in check.of("mta")}


def test_a_postfix_that_cannot_be_read_is_a_warning(check: Check, main_cf: Path, clamd: Clamd) -> None:
    main_cf.unlink()

    assert check(clamd.address) == 0
    assert check.of("mta")[0][0] == "warning"


# --- clamd.conf ------------------------------------------------------------------------------------


def test_a_clamd_conf_is_understood() -> None:
    settings = clamd_checks.parse("# Comment\nTCPAddr 127.0.0.1\nTCPAddr ::1 # two\n\nUser clamav\n")

    assert settings == {"TCPAddr": ("127.0.0.1", "::1"), "User": ("clamav",)}


def test_without_a_way_to_tell_users_the_promises_that_are_not_kept_are_named(
    check: Check, clamd: Clamd
) -> None:
    status = check(clamd.address, retention={"preset": "imail"})

    told, warned = (text for kind, text in check.of("notices") if kind == "warning")
    assert status == 0
    assert "We will send you an email if we modify or delete your data" in told
    assert "if you have not authenticated for three years" in warned


def test_a_way_to_tell_users_that_is_not_there_fails(check: Check, clamd: Clamd) -> None:
    sender = {"sender": "postmaster@example.org"}

    by_command = check(clamd.address, notices={"sendmail": "/nonexistent/sendmail", **sender})
    said = check.of("notices")
    by_smtp = check(clamd.address, notices={"smtp": f"inet:127.0.0.1:{free_port()}", **sender})

    assert (by_command, by_smtp) == (1, 1)
    assert said[0][0] == check.of("notices")[0][0] == "failed"
    assert "/nonexistent/sendmail: no program" in said[0][1]


def test_a_way_to_tell_users_that_is_there_is_fine(check: Check, clamd: Clamd) -> None:
    sink = Sink(free_port())
    try:
        check(clamd.address, notices={"smtp": f"inet:127.0.0.1:{sink.port}", "sender": "a@example.org"})
    finally:
        sink.stop()

    assert check.of("notices") == [("ok", f"inet:127.0.0.1:{sink.port}: answers")]


def test_a_store_that_nobody_purges_is_a_warning(
    check: Check, clamd: Clamd, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check(clamd.address)
    without = check.of("purge")
    cli.main(["alias", "list", "--config", str(tmp_path / "tamis.toml")])
    check(clamd.address)
    ((before, text),) = check.of("purge")
    cli.main(["purge", "--config", str(tmp_path / "tamis.toml")])
    capsys.readouterr()

    check(clamd.address)

    ((after, _),) = check.of("purge")
    assert (without, before, after) == ([], "warning", "ok")
    assert "tamis-purge.timer" in text
