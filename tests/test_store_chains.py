"""Tickets are chained, days sealed, and what anybody does to them is found."""

from __future__ import annotations

import contextlib
import itertools
import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from tests.stores import NOON, locked, make_config, make_ticket, on_every_store, other, path_of, stored

from tamis.config import Config
from tamis.interfaces import StoreUnavailable
from tamis.store import chains, removal, rewriting, tickets
from tamis.store.database import Database
from tamis.store.pace import Pace
from tamis.store.verification import Kind, Report, verify
from tamis.ticket import DAY, Ticket, day_of

DAYS = 3
TIMES = 100  # random attacks of each kind
COLUMNS = ("id", "message_id", "body", "chain", "number", "is_last", "salt", "link")
TODAY = NOON // DAY
ODD = ((b"1", b"null"), (b"null", b"[]"), (b"null", b'"\\ud800"'), (b'"\\ud800"', b"null"))  # values in JSON


def add(config: Config, given: Sequence[Ticket]) -> None:
    with contextlib.closing(Database(config.store)) as database, database.writing() as connection:
        tickets.add(connection, tickets.rows(given))


def remove(config: Config, ids: Sequence[str]) -> int:
    with contextlib.closing(Database(config.store)) as database, database.writing() as connection:
        return removal.remove(connection, ids)


def tidy(config: Config) -> None:
    with contextlib.closing(Database(config.store)) as database:
        removal.tidy(database, Pace())


def checked(config: Config) -> Report:
    with contextlib.closing(Database(config.store)) as database:
        return verify(database)


def faults(config: Config) -> list[tuple[Kind, str | None]]:
    return [(one.fault, one.ticket) for one in checked(config).first]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Return a configuration whose store has tickets of three days, the last one open."""
    made = make_config(tmp_path)
    accounts = ("bob@example.org", "anna@example.org", None)
    with contextlib.closing(Database(made.store)) as database:
        for day, commit in itertools.product(range(DAYS), range(6)):
            message_id, moment = f"<{commit}@example.net>", NOON + day * DAY + commit
            some = [make_ticket(one, message_id=message_id, milliseconds=moment) for one in accounts]
            with database.writing() as connection:
                tickets.add(connection, tickets.rows(some))
    return made


def of_day(config: Config, day: int) -> list[str]:
    """Return the IDs of a day's tickets, counted from the first one."""
    ids = [str(row[0]) for row in stored(config, "SELECT id FROM ticket ORDER BY chain, number")]
    return [one for one in ids if day_of(one) == TODAY + day]


@on_every_store
def test_tickets_as_they_were_written_have_no_fault(config: Config) -> None:
    found = checked(config)

    assert (found.faults, found.tickets, found.chains, found.sealed) == (0, DAYS * 18, DAYS, DAYS - 1)


@pytest.mark.parametrize("moments", [(-2, -1, 0, 1), (0, -1, 1, -2)])
@on_every_store
def test_commit_around_midnight_seals_the_day_that_is_over(config: Config, moments: Sequence[int]) -> None:
    midnight = (TODAY + DAYS) * DAY
    add(config, [make_ticket(milliseconds=midnight + one) for one in moments])

    found = checked(config)

    assert (found.faults, found.tickets, found.chains, found.sealed) == (0, DAYS * 18 + 4, DAYS + 1, DAYS)


@on_every_store
def test_salts_differ(config: Config) -> None:
    salts = [row[0] for row in stored(config, "SELECT salt FROM ticket")]

    assert len(set(salts)) == len(salts) and {len(one) for one in salts if isinstance(one, bytes)} == {16}


@on_every_store
def test_writers_who_take_turns_write_one_chain(config: Config) -> None:
    with (
        contextlib.closing(Database(config.store)) as first,
        contextlib.closing(Database(config.store)) as second,
    ):
        for database in (first, second, first, second):
            with database.writing() as connection:
                tickets.add(connection, tickets.rows([make_ticket(milliseconds=NOON + 2 * DAY)]))

    found = checked(config)
    assert (found.faults, found.chains) == (0, DAYS)


def copies(config: Config, folder: Path) -> Iterator[Config]:
    """Yield configurations whose store is a copy, as often as a random attack is tried."""
    file = folder / "copy.db"
    store = config.store.model_copy(update={"url": f"sqlite:///{file}"})
    for _ in range(TIMES):
        shutil.copy(path_of(config), file)
        yield config.model_copy(update={"store": store})


def changed_byte(value: object, dice: random.Random) -> object:
    """Return a value of a row with one octet changed."""
    if isinstance(value, int):
        return value ^ (dice.randint(1, 255) << 8 * dice.randint(0, 2))
    octets = bytearray(value if isinstance(value, bytes) else str(value).encode())
    octets[dice.randrange(len(octets))] ^= dice.randint(1, 255)
    return bytes(octets)


def change(config: Config, victim: str, column: str, dice: random.Random) -> None:
    with other(config) as attacker:
        (value,) = attacker.execute(f"SELECT {column} FROM ticket WHERE id = ?", [victim]).fetchone()  # noqa: S608
        put = "CAST(? AS TEXT)" if isinstance(value, str) else "?"
        new = changed_byte(value, dice)
        attacker.execute(f"UPDATE ticket SET {column} = {put} WHERE id = ?", [new, victim])  # noqa: S608


def test_random_changes_of_a_byte_are_found(config: Config, tmp_path: Path) -> None:
    dice = random.Random(1)  # noqa: S311
    ids = [str(row[0]) for row in stored(config)]
    for one in copies(config, tmp_path):
        victim, column = dice.choice(ids), dice.choice(COLUMNS)

        change(one, victim, column, dice)

        found = checked(one)
        # Whose own ID was changed cannot be named by it.
        named = {fault.ticket for fault in found.first} | {fault.after for fault in found.first}
        assert found.faults and (column == "id" or victim in named), column


def test_random_deletions_are_found(config: Config, tmp_path: Path) -> None:
    dice = random.Random(2)  # noqa: S311
    ids = [str(row[0]) for row in stored(config)]
    for one in copies(config, tmp_path):
        victims = dice.sample(ids, dice.choice((1, 1, 2, 5)))
        with other(one) as attacker:
            places: list[tuple[int, int]] = []
            for victim in victims:
                places += attacker.execute("SELECT chain, number FROM ticket WHERE id = ?", [victim])
                attacker.execute("DELETE FROM ticket WHERE id = ?", [victim])
                attacker.execute("DELETE FROM ticket_account WHERE ticket = ?", [victim])

        removed = [fault for fault in checked(one).first if fault.fault is Kind.REMOVED]

        told = [(one.chain, range(one.number or 0, (one.last or 99) + 1)) for one in removed]
        assert all(any(place[0] == of and place[1] in those for of, those in told) for place in places)


def test_random_insertions_are_found(config: Config, tmp_path: Path) -> None:
    dice = random.Random(3)  # noqa: S311
    ids = [str(row[0]) for row in stored(config)]
    for one in copies(config, tmp_path):
        new = make_ticket(milliseconds=NOON + dice.randrange(-1, DAYS + 2) * DAY + dice.randrange(10))
        (row,) = tickets.rows([new]).tickets
        with other(one) as attacker:
            made = "SELECT ?, ?, ?, chain, number + ?, is_last, ?, link FROM ticket WHERE id = ?"
            given = [row["id"], row["message_id"], row["body"], dice.choice((0, 1, 7, 40)), row["salt"]]
            attacker.execute(
                f"INSERT INTO ticket (id, message_id, body, chain, number, is_last, salt, link) {made}",
                [*given, dice.choice(ids)],
            )
            attacker.execute("INSERT INTO ticket_account VALUES ('bob@example.org', ?)", [new.id])

        assert new.id in {ticket for _, ticket in faults(one)}


@pytest.mark.parametrize("day", range(DAYS))
@on_every_store
def test_last_ticket_of_a_day_is_missed(config: Config, day: int) -> None:
    before, last = of_day(config, day)[-2:]
    with other(config) as attacker:
        attacker.execute("DELETE FROM ticket WHERE id = ?", [last])

    found = checked(config).first

    assert (found[0].fault, found[0].number, found[0].after) == (Kind.REMOVED, 18, before)
    assert found[0].day == TODAY + day


@on_every_store
def test_day_that_is_gone_altogether_is_missed(config: Config) -> None:
    with other(config) as attacker:
        attacker.execute("DELETE FROM ticket WHERE chain = 2")
        attacker.execute("DELETE FROM ticket_account WHERE ticket NOT IN (SELECT id FROM ticket)")
        attacker.execute("DELETE FROM chain WHERE id = 2")

    (found,) = checked(config).first

    assert (found.fault, found.chain, found.number) == (Kind.REMOVED, 2, None)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ticket_account SET account = 'eve@example.org' WHERE rowid_of",
        "DELETE FROM ticket_account WHERE rowid_of",
        "INSERT INTO ticket_account SELECT 'eve@example.org', ticket FROM ticket_account WHERE rowid_of",
    ],
)
@on_every_store
def test_ticket_that_others_would_find_is_told(config: Config, statement: str) -> None:
    victim = next(
        str(row[0]) for row in stored(config, "SELECT ticket FROM ticket_account ORDER BY ticket LIMIT 1")
    )
    with other(config) as attacker:
        attacker.execute(statement.replace("rowid_of", "ticket = ?"), [victim])

    assert set(faults(config)) == {(Kind.CHANGED, victim)}


def rewrite(config: Config, day: int) -> None:
    """Change the last ticket of a day as who knows how chains are made, but has not the key."""
    victim = of_day(config, day)[-1]
    ((body, number, of),) = stored(config, f"SELECT body, number, chain FROM ticket WHERE id = '{victim}'")  # noqa: S608
    ((before,),) = stored(config, f"SELECT link FROM ticket WHERE chain = {of} AND number = {number} - 1")  # noqa: S608
    assert isinstance(before, bytes)
    new = str(body).replace("anna@example.net", "eve@example.net")
    link = chains.link(before, chains.leaf(bytes(16), new.encode()))
    with other(config) as attacker:
        attacker.execute(
            "UPDATE ticket SET body = ?, salt = ?, link = ? WHERE id = ?", [new, bytes(16), link, victim]
        )
        attacker.execute("UPDATE chain SET head = ? WHERE id = ? AND state <> 'open'", [link, of])


@on_every_store
def test_sealed_day_cannot_be_rewritten_without_the_key(config: Config) -> None:
    rewrite(config, 0)

    (found,) = checked(config).first

    assert (found.fault, found.chain, found.day, found.ticket) == (Kind.CHANGED, 1, TODAY, None)


@on_every_store
def test_seal_cannot_be_taken_off(config: Config) -> None:
    rewrite(config, 0)
    with other(config) as attacker:
        attacker.execute(
            "UPDATE chain SET state = 'open', tickets = NULL, head = NULL, seal = NULL WHERE id = 1"
        )
        attacker.execute("UPDATE ticket SET is_last = true WHERE chain = 1 AND number = 18")

    (found,) = checked(config).first

    assert (found.fault, found.chain) == (Kind.UNSEALED, 1)


@on_every_store
def test_seals_of_another_key_are_none(config: Config) -> None:
    with other(config) as attacker:
        attacker.execute("UPDATE secret SET value = ? WHERE name = 'sealing'", [bytes(32)])

    assert [(one.fault, one.chain) for one in checked(config).first] == [(Kind.CHANGED, 1), (Kind.CHANGED, 2)]


@on_every_store
def test_purge_and_erasure_are_no_tampering(config: Config) -> None:
    purged, erased = of_day(config, 0), of_day(config, 1)[3:7] + of_day(config, 2)[-2:]

    assert remove(config, purged) == 18
    assert remove(config, [*erased, "no such ticket"]) == 6

    found = checked(config)
    assert (found.faults, found.tickets, found.gone) == (0, DAYS * 18 - 24, 24)
    tidy(config)
    found = checked(config)
    assert (found.faults, found.gone, found.sealed) == (0, 6, DAYS)
    assert stored(config, "SELECT count(*), min(chain) FROM ticket_gone") == [(6, 2)]


def test_what_is_left_of_a_ticket_says_nothing(config: Config) -> None:
    victim = of_day(config, 0)[0]
    ((salt,),) = stored(config, f"SELECT salt FROM ticket WHERE id = '{victim}'")  # noqa: S608
    assert isinstance(salt, bytes)

    remove(config, [victim])

    with other(config) as attacker:
        attacker.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw = b"".join(one.read_bytes() for one in path_of(config).parent.glob("tamis.db*"))
    assert victim.encode() not in raw and salt not in raw
    assert of_day(config, 0)[0].encode() in raw


@on_every_store
def test_what_has_changed_since_it_was_read_is_read_again(config: Config) -> None:
    ids = [str(one) for (one,) in stored(config)][:6]
    with contextlib.closing(Database(config.store)) as database:
        with database.reading() as connection:
            known = removal.read(connection, ids[:5])
        with database.writing() as connection:
            rewriting.pseudonymise(connection, ids[:2], {})
            removal.remove(connection, ids[2:3])
        with database.writing() as connection:
            gone = removal.remove(connection, ids, known)

    assert (gone, faults(config)) == (5, [])
    left = {one for (one,) in stored(config)}
    assert left.isdisjoint(ids)
    assert left >= {one for (one,) in stored(config, "SELECT ticket FROM ticket_account")}


def test_tickets_are_added_after_a_removal(config: Config) -> None:
    remove(config, of_day(config, 2))
    tidy(config)

    add(config, [make_ticket(milliseconds=NOON + 2 * DAY)])

    found = checked(config)
    assert (found.faults, found.tickets, found.gone) == (0, DAYS * 18 - 17, 0)
    assert (found.chains, found.sealed) == (DAYS + 1, DAYS)


@on_every_store
def test_ticket_may_be_taken_out_and_put_back_changed(config: Config) -> None:
    victim = of_day(config, 0)[4]

    remove(config, [victim])
    add(config, [make_ticket(ticket_id=victim, message_id=None)])

    found = checked(config)
    assert (found.faults, found.tickets, found.gone) == (0, DAYS * 18, 1)
    add(config, [make_ticket(milliseconds=NOON + 4 * DAY)])
    assert checked(config).sealed == DAYS + 1


@on_every_store
def test_worker_goes_on_after_its_last_ticket_was_put_back_changed(config: Config) -> None:
    last = make_ticket(milliseconds=NOON + 2 * DAY)
    with contextlib.closing(Database(config.store)) as worker:
        with worker.writing() as connection:
            tickets.add(connection, tickets.rows([last]))
        remove(config, [last.id])
        add(config, [replace(last, message_id=None)])

        with worker.writing() as connection:
            tickets.add(connection, tickets.rows([make_ticket(milliseconds=NOON + 2 * DAY)]))

    assert checked(config).faults == 0


@on_every_store
def test_worker_goes_on_after_a_commit_that_failed(config: Config) -> None:
    with contextlib.closing(Database(config.store)) as worker:
        for good in (True, False, True):
            given = [
                make_ticket(milliseconds=NOON + 2 * DAY),
                *([] if good else [make_ticket(message_id="\udcff")]),
            ]
            with contextlib.suppress(StoreUnavailable), worker.writing() as connection:
                tickets.add(connection, tickets.rows(given))

    found = checked(config)
    assert (found.faults, found.tickets, found.chains) == (0, DAYS * 18 + 2, DAYS)


@on_every_store
def test_day_without_its_last_ticket_is_not_sealed(config: Config, caplog: pytest.LogCaptureFixture) -> None:
    with other(config) as attacker:
        attacker.execute("DELETE FROM ticket WHERE id = ?", [of_day(config, 2)[-1]])

    add(config, [make_ticket(milliseconds=NOON + 3 * DAY)])

    assert "day cannot be sealed, its last ticket is missing day=2026-11-25" in caplog.text
    assert (Kind.UNSEALED, None) in faults(config)


@on_every_store
def test_deletion_is_not_made_lawful_by_a_purge(config: Config) -> None:
    first, *others = of_day(config, 0)
    with other(config) as attacker:
        attacker.execute("DELETE FROM ticket WHERE id = ?", [first])
        attacker.execute("DELETE FROM ticket_account WHERE ticket = ?", [first])

    remove(config, others)
    tidy(config)

    (found,) = checked(config).first
    assert (found.fault, found.chain, found.number, found.last) == (Kind.REMOVED, 1, 1, 1)


@on_every_store
def test_removal_that_was_not_ours_is_told(config: Config) -> None:
    victim = of_day(config, 1)[4]
    ((salt, body),) = stored(config, f"SELECT salt, body FROM ticket WHERE id = '{victim}'")  # noqa: S608
    assert isinstance(salt, bytes)
    leaf = chains.leaf(salt, str(body).encode())
    with other(config) as attacker:
        attacker.execute("DELETE FROM ticket WHERE id = ?", [victim])
        attacker.execute("DELETE FROM ticket_account WHERE ticket = ?", [victim])
        attacker.execute("INSERT INTO ticket_gone VALUES (2, 5, ?, ?)", [leaf, bytes(32)])

    (found,) = checked(config).first

    assert (found.fault, found.chain, found.number) == (Kind.REMOVED, 2, 5)


def test_whatever_stands_in_a_row_it_can_be_purged(config: Config) -> None:
    torn, doubled, second = of_day(config, 0)[:3]
    with other(config) as attacker:
        attacker.execute("UPDATE ticket SET body = ?, salt = 'x' WHERE id = ?", [b"\xff{", torn])
        attacker.execute("UPDATE ticket SET number = 2 WHERE id = ?", [second])

    assert remove(config, [torn, doubled, second]) == 3

    assert not {torn, doubled, second} & {str(row[0]) for row in stored(config)}
    assert stored(config, f"SELECT * FROM ticket_account WHERE ticket = '{torn}'") == []  # noqa: S608
    assert checked(config).faults


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff", b"[]", b'{"id": 1}', b"[" * 100_000]
    + [b'{"id":"x","message_id":%s,"sender_account":%s,"recipients":[]}' % one for one in ODD],
)
def test_whatever_stands_in_a_body_is_told(config: Config, body: bytes) -> None:
    victim = of_day(config, 1)[4]
    with other(config) as attacker:
        attacker.execute("UPDATE ticket SET body = CAST(? AS TEXT) WHERE id = ?", [body, victim])

    assert (Kind.CHANGED, victim) in faults(config)


@on_every_store
def test_ticket_of_a_sealed_day_begins_another_chain(config: Config) -> None:
    late = make_ticket(milliseconds=NOON)

    add(config, [late, make_ticket(milliseconds=NOON + 2 * DAY)])

    found = checked(config)
    assert (found.faults, found.chains, found.sealed) == (0, DAYS + 1, DAYS - 1)
    add(config, [make_ticket(milliseconds=NOON + 3 * DAY)])
    found = checked(config)
    assert (found.faults, found.chains, found.sealed) == (0, DAYS + 2, DAYS + 1)


@on_every_store
def test_missing_key_loses_no_ticket_and_is_told(config: Config, caplog: pytest.LogCaptureFixture) -> None:
    with other(config) as attacker:
        ((key,),) = attacker.execute("SELECT value FROM secret WHERE name = 'sealing'").fetchall()
        attacker.execute("DELETE FROM secret")

    add(config, [make_ticket(milliseconds=NOON + 3 * DAY)])

    assert "sealing key is missing" in caplog.text
    with other(config) as attacker:
        attacker.execute("INSERT INTO secret VALUES ('sealing', ?)", [key])
    assert [(one.fault, one.chain) for one in checked(config).first] == [(Kind.UNSEALED, 3)]
    add(config, [make_ticket(milliseconds=NOON + 4 * DAY)])
    assert checked(config).faults == 0


@on_every_store
def test_seal_stands_in_the_log(config: Config, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "tamis.store.chains")
    ((head,),) = stored(config, "SELECT link FROM ticket WHERE chain = 3 AND is_last")
    assert isinstance(head, bytes)

    add(config, [make_ticket(milliseconds=NOON + 3 * DAY)])

    (line,) = (record.getMessage() for record in caplog.records)
    statement, _, rest = line.partition(" seal=")
    assert statement == f"chain sealed id=3 day=2026-11-25 tickets=18 head={head.hex()}"
    seal, _, key = rest.partition(" key=")
    assert key == checked(config).key
    # Whoever has the public key can tell, without Tamis and its store.
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(seal), statement.encode())


@on_every_store
def test_verifying_waits_for_no_lock(config: Config) -> None:
    with locked(config):
        assert checked(config).faults == 0
