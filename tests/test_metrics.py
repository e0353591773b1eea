"""What is counted, how it is put together, and how it is written."""

from __future__ import annotations

import logging
import os
import resource
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from tests.examples import (
    GUESSED,
    INFECTED,
    LIST,
    NEWSLETTER,
    SCANNER_AWAY,
    SPAM,
    UNSCANNABLE,
    config,
    findings,
    member,
    message,
)
from tests.prometheus import Samples
from tests.stores import make_ticket

from tamis import __version__
from tamis.finding import FailedCheck, Filter, Graymail, GraymailFinding
from tamis.interfaces import Answer, Tempfail
from tamis.policy.decide import decide
from tamis.policy.outgoing import decide_outgoing
from tamis.preferences import Preferences
from tamis.service.families import CLAMDS, FAMILIES, VERDICTS_OF, Reload, Restart
from tamis.service.table import ROWS, Row, Table
from tamis.service.textfile import TextFile, exposition
from tamis.ticket import Action, Direction, Outcome, OutgoingChecks, Ticket


def shown(table: Table, *, clamds: int = 1) -> Samples:
    """Return what Prometheus would see of a table."""
    return Samples(exposition(table, clamds))


def outcome(
    antispam: str = "ham", action: Action = Action.DELIVER, antivirus: str = "clean", graymail: str = "none"
) -> Outcome:
    """Return what was found and done for one recipient."""
    return Outcome("bob@example.org", "bob@example.org", antivirus, antispam, graymail, action)


def ticket(*recipients: Outcome, checks: OutgoingChecks | None = None) -> Ticket:
    """Return the ticket of a message to some recipients; one with checks is outgoing."""
    way = Direction.INCOMING if checks is None else Direction.OUTGOING
    return replace(make_ticket(), direction=way, recipients=recipients or (outcome(),), outgoing=checks)


def accept(row: Row, one: Ticket, *, seconds: float = 0.004) -> None:
    """Count a message that was accepted."""
    row.answered(one, Answer.ACCEPT, reason=None, seconds=seconds)


def test_a_message_counts_once_and_each_recipient_by_himself() -> None:
    table = Table()

    accept(table.worker(0), ticket(outcome(), outcome("spam", Action.FILE), outcome("spam", Action.FILE)))

    seen = shown(table)
    assert seen("tamis_messages_total", direction="incoming", answer="accept") == 1
    assert seen("tamis_recipients_total", direction="incoming", action="deliver") == 1
    assert seen("tamis_recipients_total", direction="incoming", action="file") == 2


def test_a_verdict_counts_once_for_a_message() -> None:
    table = Table()

    accept(table.worker(0), ticket(outcome(), outcome("spam"), outcome("spam")))

    seen = shown(table)
    words = {
        word: seen("tamis_verdicts_total", direction="incoming", filter="antispam", verdict=word)
        for word in VERDICTS_OF[Filter.ANTISPAM]
    }
    assert words == {"ham": 1, "spam": 1, "error": 0, "off": 0}


def test_the_operators_checks_count_for_outgoing_mail() -> None:
    table = Table()
    checks = OutgoingChecks("clean", "spam", "none")

    accept(table.worker(0), ticket(outcome("off", antivirus="off", graymail="off"), checks=checks))

    seen = shown(table)
    assert seen("tamis_verdicts_total", direction="outgoing", filter="antispam", verdict="spam") == 1
    assert seen("tamis_verdicts_total", direction="outgoing", filter="antispam", verdict="off") == 0


def test_a_tempfail_counts_by_its_reason() -> None:
    table = Table()
    row = table.worker(0)

    row.answered(
        ticket(outcome(action=Action.TEMPFAIL)), Answer.TEMPFAIL, reason=Tempfail.CLAMD, seconds=30.0
    )
    row.unticketed(Answer.TEMPFAIL, Tempfail.STORE, direction=Direction.INCOMING)
    row.unticketed(Answer.TEMPFAIL, Tempfail.IN_FLIGHT)

    seen = shown(table)
    assert seen("tamis_messages_total", direction="incoming", answer="tempfail") == 2
    assert seen("tamis_messages_total", direction="unknown", answer="tempfail") == 1
    assert [seen("tamis_tempfails_total", reason=one) for one in ("clamd", "store", "in_flight")] == [1, 1, 1]


def test_buckets_hold_what_is_at_most_their_bound() -> None:
    table = Table()
    row = table.worker(0)

    for seconds in (0.001, 0.0011, 61.0):
        accept(row, ticket(), seconds=seconds)

    seen = shown(table)
    buckets = [
        seen("tamis_message_duration_seconds_bucket", le=one) for one in ("0.001", "0.0025", "60", "+Inf")
    ]
    assert buckets == [1, 2, 2, 3]
    assert seen("tamis_message_duration_seconds_count") == 3
    assert seen("tamis_message_duration_seconds_sum") == pytest.approx(61.0021)


def test_workers_add_up() -> None:
    table = Table()

    for slot in (0, 1, 7):
        accept(table.worker(slot), ticket())

    assert shown(table)("tamis_messages_total", direction="incoming", answer="accept") == 3


def test_more_processes_than_rows_share_the_last() -> None:
    table = Table()

    for slot in (ROWS, ROWS + 1):
        accept(table.worker(slot), ticket())

    assert shown(table)("tamis_messages_total", direction="incoming", answer="accept") == 2


def test_a_child_counts_where_its_parent_reads() -> None:
    table = Table()
    row = table.worker(0)

    pid = os.fork()
    if pid == 0:
        accept(row, ticket())
        os._exit(0)
    os.waitpid(pid, 0)

    assert shown(table)("tamis_messages_total", direction="incoming", answer="accept") == 1


def test_what_a_dead_worker_counted_stays_and_what_it_was_does_not() -> None:
    table = Table()
    row = table.worker(0)
    accept(row, ticket())
    row.sample(in_flight=3, held=9_000_000, connections=5, memory=50_000_000)

    row.reset()

    seen = shown(table)
    assert seen("tamis_messages_total", direction="incoming", answer="accept") == 1
    assert seen("tamis_messages_in_flight") == 0
    assert not seen.has("tamis_worker_resident_memory_bytes", worker="0")


def test_a_clamd_is_as_whoever_asked_it_last_found_it() -> None:
    table = Table()
    first, second = table.worker(0), table.worker(1)

    first.clamd_failed(1)
    second.clamd_answered(1, 0.01)

    seen = shown(table, clamds=2)
    assert seen("tamis_clamd_up", clamd="1") == 1
    assert seen("tamis_clamd_requests_total", clamd="1") == 2
    assert seen("tamis_clamd_errors_total", clamd="1") == 1
    assert not seen.has("tamis_clamd_up", clamd="0")  # nobody has asked it


def test_a_clamd_that_fails_is_down() -> None:
    table = Table()

    table.worker(0).clamd_answered(0, 0.01)
    table.worker(1).clamd_failed(0)

    assert shown(table)("tamis_clamd_up", clamd="0") == 0


def test_clamds_beyond_the_last_place_are_counted_there() -> None:
    table = Table()

    table.worker(0).clamd_answered(CLAMDS + 3, 0.01)

    last = str(CLAMDS - 1)
    assert shown(table, clamds=CLAMDS + 4)("tamis_clamd_requests_total", clamd=last) == 1


def test_tickets_share_commits() -> None:
    table = Table()

    table.worker(0).committed(5, 0.004)
    table.worker(0).committed(3, 0.004)

    seen = shown(table)
    assert seen("tamis_store_tickets_total") == 8
    assert seen("tamis_store_commit_duration_seconds_count") == 2
    assert seen("tamis_store_up") == 1


def test_a_store_that_fails_is_down_until_the_next_commit() -> None:
    table = Table()
    row = table.worker(0)

    row.store_failed()
    down = shown(table)("tamis_store_up")
    row.committed(1, 0.004)

    assert (down, shown(table)("tamis_store_up")) == (0, 1)


def test_the_supervisor_tells_of_workers_and_reloads() -> None:
    table = Table()
    own = table.own

    own.started()
    own.workers(wanted=4, ready=3)
    own.restarted(Restart.HUNG)
    own.reloaded(Reload.FAILED)

    seen = shown(table)
    assert (seen("tamis_workers"), seen("tamis_workers_ready")) == (4, 3)
    assert seen("tamis_worker_restarts_total", reason="hung") == 1
    assert seen("tamis_config_reloads_total", result="failed") == 1
    assert seen("tamis_config_last_reload_success_timestamp_seconds") == seen("tamis_start_time_seconds")
    assert seen("tamis_build_info", version=__version__) == 1


def test_the_configuration_is_in_force_since_its_last_good_reload() -> None:
    table = Table()
    own = table.own
    own.started()
    begun = time.time()
    while time.time() <= begun:
        pass

    own.reloaded(Reload.OK)

    seen = shown(table)
    assert seen("tamis_config_last_reload_success_timestamp_seconds") > seen("tamis_start_time_seconds")


def test_every_verdict_that_policy_knows_is_counted() -> None:
    row = Table().worker(0)
    site = config(antivirus__on_error="pass")
    social = GraymailFinding(Graymail.SOCIAL)
    facts = product(
        (INFECTED, GUESSED, UNSCANNABLE, SCANNER_AWAY, None),
        (SPAM, FailedCheck(), None),
        (NEWSLETTER, LIST, social, FailedCheck(), None),
    )

    for antivirus, antispam, graymail in facts:
        found = findings(antivirus=antivirus, antispam=antispam, graymail=graymail)
        for on in (True, False):
            one = member(wishes=Preferences(antivirus=on, antispam=on, graymail=on))
            recipient = message().envelope.recipients[0]
            accept(row, ticket(decide(recipient, one, found, site).outcome()))
        accept(row, ticket(checks=decide_outgoing(found, site).checks))  # no KeyError


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: str(family.name))
def test_names_follow_prometheus_conventions(family: object) -> None:
    seen = shown(Table())

    name = getattr(family, "name", "")
    kind = seen.types[name.removesuffix("_total")]
    assert name.startswith("tamis_")
    assert name.endswith("_total") == (kind == "counter")


# --- The file --------------------------------------------------------------------------------------


def writer(file: Path, **settings: object) -> TextFile:
    """Return what writes a file, at once and each second."""
    given = {f"metrics__{key}": value for key, value in settings.items()}
    return TextFile(Table(), config(metrics__file=str(file), metrics__interval=1.0, **given))


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """Let no file grow beyond some octets."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_the_file_may_be_read_by_everyone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        writer(tmp_path / "tamis.prom").write()
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "tamis.prom").stat().st_mode) == 0o644


def test_the_file_is_put_in_place_whole(tmp_path: Path) -> None:
    file = tmp_path / "tamis.prom"
    file.write_text("before")

    with file.open() as reader:
        writer(file).write()

        assert reader.read() == "before"
    assert [one.name for one in tmp_path.iterdir()] == ["tamis.prom"]


def test_it_is_written_when_due(tmp_path: Path) -> None:
    file = tmp_path / "tamis.prom"
    one = writer(file)
    one.write()
    file.unlink()

    one.write()

    assert not file.exists()


def test_a_full_disk_leaves_the_former_file_and_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "tamis.prom"
    one = writer(file)
    one.write()
    before = file.read_text()

    with full_disk(1000):
        for _ in range(2):
            one.apply(config(metrics__file=str(file)))
            one.write()

    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert file.read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["tamis.prom"]


def test_a_folder_that_comes_back_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    file = tmp_path / "run" / "tamis.prom"
    one = writer(file)
    one.write()

    file.parent.mkdir()
    one.apply(config(metrics__file=str(file)))
    one.write()

    assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.INFO]


def test_what_a_link_points_to_is_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    for name in ("tamis.prom", "tamis.prom.new"):
        (tmp_path / name).symlink_to(precious)

    writer(tmp_path / "tamis.prom").write()

    assert precious.read_text() == "precious"
    assert not (tmp_path / "tamis.prom").is_symlink()


def test_a_file_that_is_not_wanted_any_more_is_removed(tmp_path: Path) -> None:
    one = writer(tmp_path / "tamis.prom")
    one.write()

    one.apply(config())

    one.write()
    assert list(tmp_path.iterdir()) == []
