"""`tamis purge` with tickets.pseudonymise_after: old tickets name nobody, and who asks is still found."""

from __future__ import annotations

import contextlib
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.commands import Tamis
from tests.stores import NOON, keep, make_config, make_ticket, on_every_store, path_of, stored, write_settings

from tamis.config import Config
from tamis.desk import erasure, purge, records, report, status
from tamis.desk.holds import Request
from tamis.desk.holds import add as hold
from tamis.desk.purge import Purge
from tamis.desk.status import Act
from tamis.judgement import milliseconds_now
from tamis.retention.classes import RecordClass
from tamis.retention.due import Action
from tamis.retention.fields import Field
from tamis.retention.period import DAY
from tamis.store import bearers, census, pace, pseudonyms, receipts, secrets, tickets, verification
from tamis.store.database import Database
from tamis.store.pace import Pace
from tamis.store.tickets import Query
from tamis.ticket import LATEST, Direction, Ticket, time_of

ANNA, BOB = "anna@example.org", "bob@example.org"
SENDER = "anna@example.net"  # of make_ticket()
AFTER = '[tickets]\npseudonymise_after = "6 months"\n'
OLD = 200  # days
PACE = Pace(sleep=lambda _: None)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return make_config(tmp_path, more=AFTER)


@pytest.fixture
def database(config: Config) -> Iterator[Database]:
    with contextlib.closing(Database(config.store)) as one:
        yield one


def to(account: str, *, days: int = OLD, number: int = 0, message_id: str = "<1@example.net>") -> Ticket:
    """Return a ticket of mail to an account's own address, some days old at noon."""
    made = make_ticket(account, message_id=message_id, milliseconds=NOON - days * DAY + number)
    return replace(made, recipients=(replace(made.recipients[0], address=account),))


def purged(database: Database, config: Config, now: int = NOON) -> tuple[int, int]:
    """Purge at a Unix time in ms; return how many tickets went, and how many got pseudonyms."""
    work = Purge(database, config.rules, now=now, pace=PACE)
    work.run()
    purge.clean_up(database, PACE)
    return counted(work, Action.DELETE), counted(work, Action.PSEUDONYMISE)


def counted(work: Purge, action: Action) -> int:
    """Return to how many tickets something was done."""
    lines = [one for one in work.tally.lines(action) if one["class"] == "ticket"]
    return sum(int(str(one["count"])) for one in lines)


def bodies(config: Config) -> list[dict[str, Any]]:
    return [json.loads(str(body)) for (body,) in stored(config, "SELECT body FROM ticket ORDER BY id")]


def alias(database: Database, address: str) -> str:
    """Return an address's pseudonym."""
    with database.reading() as connection:
        return pseudonyms.names(connection, address)[1]


def raw(config: Config) -> bytes:
    """Return all octets of the database's files."""
    return b"".join(one.read_bytes() for one in sorted(path_of(config).parent.glob("tamis.db*")))


# --- What is done ----------------------------------------------------------------------------------


@on_every_store
def test_only_tickets_that_are_old_enough_get_pseudonyms(config: Config, database: Database) -> None:
    old, young = to(BOB), to(BOB, days=100)
    fields = ((Field.SUBJECT, "Hello"), (Field.CLIENT_ADDRESS, "192.0.2.7"), (Field.SIZE, 10))
    keep(config, [replace(old, more=fields), young])

    done = purged(database, config)

    hidden, clear = bodies(config)
    bob, sender = (alias(database, one) for one in (BOB, SENDER))
    before = old.as_json() | {"sender": sender, "message_id": hidden["message_id"], "size": 10}
    before["recipients"] = [{**old.recipients[0].as_json(), "address": bob, "account": bob}]
    assert done == (0, 1)
    assert hidden == before
    assert clear == young.as_json()
    assert stored(config, "SELECT account FROM ticket_account ORDER BY ticket") == [(bob,), (BOB,)]
    assert stored(config, "SELECT message_id FROM ticket ORDER BY id")[0] == (hidden["message_id"],)


@on_every_store
def test_tickets_verify_after_it_and_after_all_that_follows(config: Config, database: Database) -> None:
    for days in (202, 201, 200, 100, 0):
        keep(config, [to(BOB, days=days, number=number) for number in range(60)])

    faults = []
    for now in (NOON, NOON, NOON + 30 * DAY, NOON + 170 * DAY, NOON + 300 * DAY, NOON + 400 * DAY):
        purged(database, config, now)
        faults.append(verification.verify(database).faults)
        keep(config, [to(BOB, days=(NOON - now) // DAY)])
        faults.append(verification.verify(database).faults)

    assert not any(faults)


def test_what_somebody_changes_after_it_is_found(config: Config, database: Database) -> None:
    keep(config, [to(BOB), to(ANNA)])
    purged(database, config)

    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE ticket SET body = replace(body, 'spam', 'ham')")

    assert verification.verify(database).faults == 2


def test_a_second_purge_changes_nothing(config: Config, database: Database) -> None:
    keep(config, [to(BOB), to(ANNA)])
    purged(database, config)
    before = stored(config, "SELECT * FROM ticket")

    again = purged(database, config)

    assert again == (0, 0)
    assert stored(config, "SELECT * FROM ticket") == before


def test_without_the_key_none_gets_a_pseudonym(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    with contextlib.closing(Database(config.store)) as database:
        keep(config, [to(BOB)])

        assert purged(database, config) == (0, 0)
        assert bodies(config)[0]["sender"] == SENDER


def test_a_receipt_tells_it_apart_from_what_went(config: Config, database: Database) -> None:
    keep(config, [to(BOB, days=400), to(BOB)])

    purged(database, config)

    with database.reading() as connection:
        (receipt,) = receipts.find(connection)
    ((gone,), (hidden,)) = receipt["purged"], receipt["pseudonymised"]
    assert gone["rule"] == 'ticket.age.ceiling = "1 year"'
    assert hidden == {
        "class": "ticket",
        "rule": 'tickets.pseudonymise_after = "6 months"',
        "count": 1,
        "oldest": "2026-05-07T12:00:00.000Z",
        "newest": "2026-05-07T12:00:00.000Z",
    }


def test_a_dry_run_counts_it_and_changes_nothing(config: Config, database: Database) -> None:
    keep(config, [to(BOB, days=400), to(BOB), to(BOB, days=10)])
    write_settings(config, BOB, antispam="off")
    before = stored(config, "SELECT * FROM ticket")
    work = Purge(database, config.rules, now=NOON, pace=PACE)

    work.plan()

    assert (counted(work, Action.DELETE), counted(work, Action.PSEUDONYMISE)) == (1, 1)
    assert stored(config, "SELECT * FROM ticket") == before


def test_the_command_tells_it(tamis: Tamis, tmp_path: Path) -> None:
    config = make_config(tmp_path, more=AFTER)
    keep(config, [make_ticket(milliseconds=milliseconds_now() - OLD * DAY)])

    dry, done = tamis("purge", "--dry-run"), tamis("purge")

    assert "would pseudonymise class=ticket count=1" in dry.out
    assert "pseudonymised class=ticket count=1" in done.out


def test_what_somebody_made_unreadable_stays_as_it_is(config: Config, database: Database) -> None:
    keep(config, [to(BOB, number=number) for number in range(3)])
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE ticket SET body = '{}' WHERE number = 1")
        connection.exec_driver_sql("UPDATE ticket SET body = replace(body, id, 'X') WHERE number = 2")

    assert purged(database, config) == (0, 1)
    assert [one.get("id", "")[:1] for one in bodies(config)] == ["", "X", "0"]


def test_two_purges_at_once_write_and_count_each_ticket_once(config: Config, database: Database) -> None:
    at_once = pace.FIRST
    keep(config, [to(BOB, number=number) for number in range(2 * at_once)])
    others: list[tuple[int, int]] = []

    def another(_: float) -> None:  # after the first batch
        if not others:
            with contextlib.closing(Database(config.store)) as its:
                others.append(purged(its, config))

    work = Purge(database, config.rules, now=NOON, pace=Pace(sleep=another))
    work.run()

    assert (counted(work, Action.PSEUDONYMISE), others) == (at_once, [(0, at_once)])
    assert verification.verify(database).faults == 0


def test_chains_of_past_days_are_sealed_with_it(config: Config, database: Database) -> None:
    keep(config, [to(BOB), to(BOB, days=0)])

    purged(database, config)

    assert stored(config, "SELECT state FROM chain ORDER BY day, id") == [("purged",), ("sealed",), ("open",)]


# --- Time, floors and holds ------------------------------------------------------------------------


def test_a_year_of_purges_never_leaves_an_address_for_too_long(tmp_path: Path) -> None:
    config = make_config(tmp_path, more=AFTER + '[retention.ticket]\nage.ceiling = "9 months"')
    with contextlib.closing(Database(config.store)) as database:
        for day in range(0, 2 * 365, 15):
            now = NOON + day * DAY
            keep(config, [to(BOB, days=-day)])
            if 250 < day < 500:
                continue  # missed
            purged(database, config, now)
            for one in bodies(config):
                age = now - time_of(str(one["id"]))
                assert pseudonyms.is_pseudonymous(one) == (age > 184 * DAY)

        assert verification.verify(database).faults == 0


def test_what_is_held_keeps_its_addresses_until_the_hold_ends(config: Config, database: Database) -> None:
    keep(config, [to(BOB), to(ANNA)])
    with database.writing() as connection:
        hold(connection, BOB, Request("R1", "court", None), until=NOON + 10 * DAY, now=NOON - DAY)

    before, after = (purged(database, config, NOON + days * DAY) for days in (9, 10))

    assert (before, after) == ((0, 1), (0, 1))


def test_a_hold_keeps_a_ticket_with_pseudonyms(config: Config, database: Database) -> None:
    keep(config, [to(BOB), to(ANNA)])
    purged(database, config)
    with database.writing() as connection:
        hold(connection, BOB, Request("R1", "court", None), until=NOON + 300 * DAY, now=NOON)

    before, after = (purged(database, config, NOON + days * DAY) for days in (299, 300))

    assert (before, after) == ((1, 0), (1, 0))


@on_every_store
def test_a_hold_that_comes_while_it_is_at_work_counts(config: Config, database: Database) -> None:
    keep(config, [to(BOB, number=number) for number in range(60)])
    purged(database, config)

    def held(_: float) -> None:  # after the first batch
        with database.writing() as connection:
            hold(connection, BOB, Request("R1", "court", None), until=NOON + 900 * DAY, now=NOON)

    Purge(database, config.rules, now=NOON + 200 * DAY, pace=Pace(sleep=held)).run()

    assert len(stored(config)) == 60 - pace.FIRST


# --- Accounts with dates ---------------------------------------------------------------------------


@pytest.mark.parametrize("act", [Act.CLOSE, Act.RESTRICT])
def test_dates_of_an_account_count_for_tickets_with_pseudonyms(tmp_path: Path, act: Act) -> None:
    config = make_config(tmp_path, more=AFTER + '[retention.ticket]\nclosing.ceiling = "1 month"')
    with contextlib.closing(Database(config.store)) as database:
        write_settings(config, BOB, antispam="off")
        keep(config, [to(BOB), to(ANNA)])
        purged(database, config)
        with database.writing() as connection:
            status.carry_out(connection, BOB, act, actor="root", notify=False, now=NOON)

        gone = [purged(database, config, NOON + days * DAY)[0] for days in (26, 27)]

        assert gone == ([0, 1] if act is Act.CLOSE else [1, 0])
        assert stored(config, "SELECT account FROM ticket_account") == [(alias(database, ANNA),)]


def test_a_floor_by_closing_counts_for_tickets_with_pseudonyms(tmp_path: Path) -> None:
    more = AFTER + '[retention.ticket]\nage.ceiling = "9 months"\nclosing.floor = "6 months"'
    config = make_config(tmp_path, more=more + '\nclosing.ceiling = "7 months"')
    with contextlib.closing(Database(config.store)) as database:
        write_settings(config, BOB, antispam="off")
        keep(config, [to(BOB), to(ANNA)])
        purged(database, config)
        with database.writing() as connection:
            status.carry_out(connection, BOB, Act.CLOSE, actor="root", notify=False, now=NOON)

        gone = [purged(database, config, NOON + days * DAY)[0] for days in (100, 180, 182)]

        assert gone == [1, 0, 1]


@on_every_store
def test_a_ticket_of_several_stays_for_who_may_keep_it(config: Config, database: Database) -> None:
    keep(config, [replace(to(BOB), sender_account=ANNA)])
    purged(database, config)

    left = []
    for address in (ANNA, BOB):
        erasure.erase(database, address, config.rules, notify=False, now=NOON + DAY, pace=PACE)
        left.append(len(stored(config)))
    purged(database, config, NOON + DAY)

    assert left == [1, 0]
    assert stored(config, "SELECT address FROM account") == []


def test_an_erasure_tells_when_shared_tickets_go_not_when_they_get_pseudonyms(
    config: Config, database: Database
) -> None:
    keep(config, [replace(to(BOB, days=10), sender_account=ANNA), replace(to(BOB), sender_account=ANNA)])

    (kept,) = erasure.kept(database, BOB, config.rules, now=NOON)

    assert (kept.reason, kept.count) == (erasure.OTHERS, 2)
    assert kept.until is not None and kept.until > NOON + 350 * DAY


def test_after_an_erasure_neither_address_nor_pseudonym_is_left(config: Config, database: Database) -> None:
    given = [to(BOB, number=one, message_id=f"<{one}.mark@example.net>") for one in range(120)]
    keep(config, [*given, to(ANNA)])
    keep(config, [to(BOB, days=1, message_id="<young.mark@example.net>")])
    purged(database, config)
    bob = alias(database, BOB)
    assert bob.encode() in raw(config)
    assert BOB.encode() in raw(config)

    erasure.erase(database, BOB, config.rules, notify=False, now=NOON, pace=PACE)
    purge.clean_up(database, PACE)

    text = raw(config)
    assert not [word for word in (BOB, bob, "mark@example.net") if word.encode() in text]
    assert len(stored(config)) == 1
    assert verification.verify(database).faults == 0


def test_what_got_pseudonyms_is_in_no_file(config: Config, database: Database) -> None:
    names = [f"user{one:04d}{'x' * (one * 7 % 40)}" for one in range(500)]
    keep(config, [to(f"{one}@example.org", message_id=f"<{one}@example.net>") for one in names])

    purged(database, config)

    assert stored(config, "PRAGMA freelist_count") == [(0,)]
    assert b"user0" not in raw(config)
    assert SENDER.encode() not in raw(config)


# --- Who asks --------------------------------------------------------------------------------------


def found(database: Database, query: Query) -> list[str]:
    with database.reading() as connection:
        return [json.loads(one.body)["id"] for one in tickets.find(connection, query)]


@on_every_store
def test_tickets_are_found_by_address_and_message_id(config: Config, database: Database) -> None:
    bobs = [to(BOB, days=days) for days in (200, 190, 100, 10)]
    keep(config, [*bobs, to(ANNA, message_id="<2@example.net>")])

    purged(database, config)

    assert found(database, Query(BOB)) == [one.id for one in bobs]
    assert found(database, Query(BOB, since=NOON - 195 * DAY, until=NOON - 20 * DAY)) == [
        one.id for one in bobs[1:3]
    ]
    assert found(database, Query(message_id="1@example.net")) == [one.id for one in bobs]
    assert len(found(database, Query(message_id="<2@example.net>"))) == 1
    assert found(database, Query(ANNA, "1@example.net")) == []


@on_every_store
def test_all_pages_come_in_their_order_when_both_kinds_are_mixed(config: Config, database: Database) -> None:
    with database.writing() as connection:
        hold(connection, ANNA, Request("R1", "court", None), until=NOON + DAY, now=NOON)
    given = [
        replace(to(BOB, number=number), sender_account=ANNA if number % 3 else None)
        for number in range(3 * tickets.PAGE)
    ]
    keep(config, given)

    purged(database, config)

    assert found(database, Query(BOB)) == [one.id for one in given]


def test_who_asks_sees_himself_in_clear_and_nobody_else(config: Config, database: Database) -> None:
    sent = replace(to(BOB), sender=ANNA, sender_account=ANNA, direction=Direction.OUTGOING)
    keep(config, [sent])
    purged(database, config)

    with database.reading() as connection:
        ((bobs,), (annas,)) = (list(records.mail(connection, one, until=LATEST)) for one in (BOB, ANNA))

    anna, bob = alias(database, ANNA), alias(database, BOB)
    assert (bobs["sender"], bobs["recipients"]) == (anna, [sent.recipients[0].as_json()])
    assert (annas["sender"], annas["sender_account"]) == (ANNA, ANNA)
    assert annas["recipients"] == [{"address": bob}]


@on_every_store
def test_report_and_breach_scope_count_them_for_the_account(config: Config, database: Database) -> None:
    write_settings(config, BOB, antispam="off")
    keep(config, [to(BOB), to(BOB, days=10), to(ANNA), to(ANNA, days=-10), to("gone@example.org")])
    purged(database, config)

    with database.reading() as connection:
        told = report.report(connection, BOB).records
        scope = {one.account: one for one in census.count(connection, since=NOON - 300 * DAY, until=NOON)}

    kind = RecordClass.TICKET
    counts = {name: one.records[kind].there for name, one in scope.items() if kind in one.records}
    assert [one.count for one in told if one.kind is kind] == [2]
    assert counts == {BOB: 2, ANNA: 1, alias(database, "gone@example.org"): 1}


def test_commands_find_who_has_pseudonyms_alone(tamis: Tamis, tmp_path: Path) -> None:
    config = make_config(tmp_path, more=AFTER)
    with contextlib.closing(Database(config.store)) as database:
        keep(config, [to(BOB)])
        purged(database, config)
    period = ("--since", "2020-01-01", "--until", "2030-01-01")

    shown = tamis("tickets", "--account", BOB, "--json")
    told = tamis("account", "report", BOB, "--json")
    handed = tamis("account", "export", BOB, "--output", str(tmp_path / "bob.zip"))
    scope = tamis("breach-scope", *period, "--json")
    held = tamis("hold", "add", BOB, "--until", "2099-01-01", "--reference", "R", "--authority", "A")

    assert [one.status for one in (shown, told, handed, scope, held)] == [0] * 5
    assert len(shown.lines) == 1
    assert [one["class"] for one in told.lines[0]["records"]] == ["ticket"]
    with zipfile.ZipFile(tmp_path / "bob.zip") as archive:
        (ticket,) = json.loads(archive.read("tickets.json"))
    assert ticket["recipients"][0]["account"] == BOB
    assert len(scope.lines) == 1
    assert "nothing is recorded" not in held.err


# --- Keys ------------------------------------------------------------------------------------------


def test_the_key_is_one_of_its_own(config: Config, database: Database) -> None:
    with database.reading() as connection:
        keys = {secrets.get(connection, name) for name in secrets.NAMES}

    assert len(keys) == len(secrets.NAMES)


def test_accounts_without_dates_are_not_named(config: Config, database: Database) -> None:
    write_settings(config, BOB, antispam="off")
    bob = alias(database, BOB)
    known = bearers.Bearers()

    with database.reading() as connection:
        before = known.find(connection, [bob, ANNA])
    with database.writing() as connection:
        status.carry_out(connection, BOB, Act.CLOSE, actor="root", notify=False, now=NOON)
        after = known.find(connection, [bob, ANNA])

    assert (before, after) == ({}, {bob: BOB})
