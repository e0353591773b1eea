"""What SQLite leaves of former rows in unused parts of its pages is overwritten, and nothing else touched."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection
from tests.commands import Tamis
from tests.stores import NOON, keep, make_config, make_ticket, other, path_of, stored

from tamis.commands.purge import OLD_FILE, SOME_STAYS
from tamis.config import Config
from tamis.store import pages, space, tickets, verification, wiping
from tamis.store.database import Database
from tamis.store.tickets import Query

TICKETS = 600
BATCHES = 30
KILLS = int(os.environ.get("TAMIS_KILLS", "10"))
EXAMPLES = 20
TOUCH = "UPDATE ticket SET is_last = 1 - is_last"  # changes a page and moves no row
SEED = 20261128

KINDS = ("add", "update", "delete")
TABLES = {"plain": "", "keyed": "WITHOUT ROWID"}
# Whether SQLite overwrites what it deletes, and octets of a row. Else long rows leave some on their pages.
HOW = (("ON", 1, 40), ("ON", 1, 400), ("ON", 200, 1500), ("ON", 1, 9000), ("OFF", 1, 60))


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return make_config(tmp_path)


@pytest.fixture
def database(config: Config) -> Iterator[Database]:
    with contextlib.closing(Database(config.store)) as one:
        yield one


def wipe(database: Database, clock: Callable[[], float] = lambda: 0.0) -> bool:
    """Overwrite all that is left, without pauses."""
    return wiping.wipe(database, clock=clock, rest=lambda _: None)


def settle(config: Config) -> None:
    """Leave a store in whose file something is left of former rows."""
    chance = random.Random(SEED)  # noqa: S311
    for first in range(0, TICKETS, 50):
        ids = [f"<{chance.randrange(1 << 64):x}@example.net>" for _ in range(50)]
        keep(
            config,
            [
                make_ticket(message_id=one, milliseconds=NOON + number)
                for number, one in enumerate(ids, first)
            ],
        )
    with contextlib.closing(Database(config.store)) as database:
        space.empty_log(database, lambda: None)
    assert left(config)


def left(config: Config) -> list[int]:
    """Return the numbers of pages on which something is left."""
    octets = path_of(config).read_bytes()
    size = pages.size(octets) or 4096  # of an old file
    found = [start for start in range(0, len(octets), size) if pages.remnants(octets[start : start + size])]
    return [start // size + 1 for start in found if pages.place(start // size + 1, size) is not None]


def raw(config: Config) -> bytes:
    """Return all octets of the database's files."""
    return b"".join(one.read_bytes() for one in sorted(path_of(config).parent.glob("tamis.db*")))


def is_whole(config: Config) -> bool:
    """Tell whether SQLite and the chains of tickets find nothing wrong."""
    with contextlib.closing(Database(config.store)) as database:
        return (
            stored(config, "PRAGMA integrity_check") == [("ok",)] and not verification.verify(database).faults
        )


# --- What is overwritten ---------------------------------------------------------------------------


def test_what_rows_left_that_moved_is_overwritten_and_rows_stay(config: Config, database: Database) -> None:
    settle(config)
    before = stored(config, "SELECT * FROM ticket")

    done = wipe(database)

    assert done
    assert left(config) == []
    assert stored(config, "SELECT * FROM ticket") == before
    assert is_whole(config)


@dataclass(frozen=True, slots=True)
class Change:
    """What is done to a row."""

    kind: str  # add, update, delete
    size: int  # octets


@st.composite
def changes(draw: st.DrawFn) -> tuple[str, list[Change]]:
    """Draw how SQLite deletes, and changes of rows."""
    erasing, least, most = draw(st.sampled_from(HOW))
    kinds = draw(st.sampled_from([("add", "add", "delete"), ("add", "add", "update"), KINDS, KINDS[1:]]))
    chance = random.Random(draw(st.integers(0, 1 << 32)))  # noqa: S311
    number = draw(st.integers(1, 300))
    made = [Change("add", chance.randint(least, most)) for _ in range(number // 3)]
    return erasing, made + [Change(chance.choice(kinds), chance.randint(least, most)) for _ in range(number)]


@pytest.fixture(scope="module", params=[512, 4096, 65536])
def shaped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Return a store whose pages have a size."""
    config = make_config(tmp_path_factory.mktemp("pages"))
    with contextlib.closing(sqlite3.connect(path_of(config))) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute(f"PRAGMA page_size = {request.param}")
        connection.execute("VACUUM")
        connection.execute("PRAGMA journal_mode = WAL")
    return config


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=changes())
def test_of_rows_that_are_gone_no_octet_stays(shaped: Config, drawn: tuple[str, list[Change]]) -> None:
    with contextlib.closing(Database(shaped.store)) as database:
        there, gone = changed(shaped, *drawn)
        space.give_back(database, lambda: None)

        done = wipe(database)

        space.empty_log(database, lambda: None)
        octets = raw(shaped)
        assert done
        assert [one for one in gone if one.encode() in octets] == []
        for table in TABLES:
            assert sorted(stored(shaped, f"SELECT name, body FROM {table}")) == sorted(there.items())  # noqa: S608
        assert stored(shaped, "PRAGMA integrity_check") == [("ok",)]


def changed(
    config: Config, erasing: str, given_changes: Sequence[Change]
) -> tuple[dict[str, str], list[str]]:
    """Change rows of two new tables; return those that are there, and marks that stood in what is gone."""
    there: dict[str, str] = {}
    gone = []
    with other(config) as connection:
        connection.execute(f"PRAGMA secure_delete = {erasing}")
        connection.execute("BEGIN")
        for table, kind in TABLES.items():
            connection.execute(f"DROP TABLE IF EXISTS {table}")
            connection.execute(f"CREATE TABLE {table} (name TEXT PRIMARY KEY, body TEXT) {kind}")
            connection.execute(f"CREATE INDEX {table}_body ON {table} (body)")
        for number, one in enumerate(given_changes):
            key = number * 7919 % 10007
            mark = f"{key:05d}.mark"
            body = mark * (one.size // len(mark) + 1)
            name = sorted(there)[one.size % len(there)] if there and one.kind != "add" else f"{key:05d}.name"
            before = there.pop(name, "")
            gone += [before[: len(mark)]] if before else []
            if one.kind == "delete" and before:
                gone.append(name)
                statement, values = "DELETE FROM {} WHERE name = ?", [name]
            else:
                there[name] = body
                statement, values = "INSERT INTO {} (body, name) VALUES (?, ?)", [body, name]
                if before:
                    statement = "UPDATE {} SET body = ? WHERE name = ?"
            for table in TABLES:
                connection.execute(statement.format(table), values)
        connection.execute("COMMIT")
    return there, gone


def test_pages_are_told_apart_as_by_sqlite(shaped: Config) -> None:
    changed(shaped, "ON", [Change("add", size) for size in range(1, 6000, 20)])
    with contextlib.closing(Database(shaped.store)) as database:
        space.empty_log(database, lambda: None)

    octets = path_of(shaped).read_bytes()
    size = pages.size(octets)
    for number, kind in stored(shaped, "SELECT pageno, pagetype FROM dbstat WHERE pageno > 1"):
        place = pages.place(int(str(number)), size)
        assert place is not None
        assert pages.is_in_tree(octets[place : place + 1]) == (kind in ("internal", "leaf"))


@given(st.binary(min_size=512, max_size=512), st.sampled_from([2, 5, 10, 13]), st.integers(0, 40), st.data())
def test_what_is_overwritten_lies_between_the_pointers_and_the_cells(
    octets: bytes, kind: int, cells: int, data: st.DataObject
) -> None:
    pointers = data.draw(st.lists(st.integers(0, 600), min_size=cells, max_size=cells))
    start = (12 if kind < 10 else 8) + 2 * cells
    block, content = data.draw(st.integers(0, 600)), data.draw(st.integers(0, 600))
    header = struct.pack(">BHHHB", kind, block, cells, content, 0) + bytes(4 if kind < 10 else 0)
    page = header + struct.pack(f">{cells}H", *pointers) + octets[start:]

    for first, end in pages.remnants(page):
        assert start <= first < end <= len(page)
        assert not any(first <= one < end for one in pointers)


# --- Others ----------------------------------------------------------------------------------------


class Overtaken(Database):
    """Lets another do something once, just before we write."""

    def __init__(self, config: Config, do: Callable[[], object]) -> None:
        super().__init__(config.store)
        self._do = [do]

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """Lend the connection."""
        while self._do:
            self._do.pop()()
        with super().writing() as connection:
            yield connection


def test_what_we_have_in_memory_brings_nothing_back(config: Config, database: Database) -> None:
    settle(config)
    with database.reading() as connection:
        connection.exec_driver_sql("SELECT * FROM ticket").all()
    wipe(database)

    with database.writing() as connection:
        connection.exec_driver_sql(TOUCH)

    space.empty_log(database, lambda: None)
    assert left(config) == []


def test_what_another_has_in_memory_brings_nothing_back(config: Config) -> None:
    settle(config)
    read = "SELECT * FROM ticket"
    with (
        other(config) as another,
        contextlib.closing(Overtaken(config, lambda: another.execute(read).fetchall())) as database,
    ):
        wipe(database)

        another.execute(TOUCH)

        space.empty_log(database, lambda: None)
        assert left(config) == []


def test_what_another_has_just_changed_is_overwritten_once_it_is_in_the_file(config: Config) -> None:
    settle(config)
    with (
        other(config) as another,
        contextlib.closing(Overtaken(config, partial(another.execute, TOUCH))) as database,
    ):
        done = wipe(database)

        space.empty_log(database, lambda: None)
        assert done
        assert left(config) == []


def test_it_takes_no_locks_from_this_process(config: Config, database: Database) -> None:
    settle(config)
    alone = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('PRAGMA journal_mode = DELETE')"
    with other(config) as connection:
        connection.execute("SELECT id FROM ticket").fetchone()
        wipe(database)
        database.close()

        done = subprocess.run(
            [sys.executable, "-c", alone, path_of(config)], check=False, capture_output=True, text=True
        )

    assert "database is locked" in done.stderr


def test_a_reader_in_the_way_is_told_and_the_next_purge_does_it(tamis: Tamis, config: Config) -> None:
    settle(config)
    with other(config) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT id FROM ticket").fetchone()
        first = tamis("purge")
        assert left(config)

    second = tamis("purge")

    assert first.status == second.status == 0
    assert SOME_STAYS in first.err and not second.err
    assert not left(config)


def test_a_file_that_cannot_be_mended_stays_as_it_is_and_is_told(tamis: Tamis, config: Config) -> None:
    with contextlib.closing(sqlite3.connect(path_of(config))) as connection:
        connection.execute("PRAGMA auto_vacuum = NONE")
        connection.execute("VACUUM")
    settle(config)

    done = tamis("purge")

    assert OLD_FILE in done.err
    assert left(config)
    assert is_whole(config)


def test_a_file_that_takes_its_place_meanwhile_is_not_touched(
    config: Config, database: Database, tmp_path: Path
) -> None:
    settle(config)
    path = path_of(config)
    shutil.copy(path, tmp_path / "copy")
    times: list[float] = []

    def put(_: float) -> None:
        if not times:
            path.rename(tmp_path / "former")
            (tmp_path / "copy").rename(path)
        times.append(0)

    done = wiping.wipe(database, clock=count(0, wiping.HOLD).__next__, rest=put)

    assert not done
    assert left(config)
    assert is_whole(config)


def test_no_transaction_overwrites_for_longer_than_it_may(config: Config, database: Database) -> None:
    settle(config)
    found = len(left(config))
    times = count(0, wiping.HOLD / 3)
    begun: list[float] = []

    wiping.wipe(database, clock=lambda: next(times), rest=begun.append)

    assert len(begun) >= found / 3 > 1
    assert not left(config)


def test_while_others_write_and_read_no_ticket_is_lost(config: Config) -> None:
    settle(config)
    config = config.model_copy(update={"store": config.store.model_copy(update={"timeout": 60.0})})
    processes = multiprocessing.get_context("fork")
    writers = [processes.Process(target=write, args=(config, number)) for number in (1, 2)]
    reader = processes.Process(target=read, args=(config,))
    for one in (*writers, reader):
        one.start()

    with contextlib.closing(Database(config.store)) as database:
        while any(one.is_alive() for one in (*writers, reader)):
            wiping.wipe(database, clock=time.monotonic, rest=lambda _: time.sleep(0.001))
        done = wipe(database)

    assert [one.exitcode for one in (*writers, reader)] == [0, 0, 0]
    assert done
    assert left(config) == []
    assert stored(config, "SELECT count(*) FROM ticket") == [(TICKETS + 2 * BATCHES * 5,)]
    assert is_whole(config)


def write(config: Config, number: int) -> None:
    """Write tickets, as a worker does."""
    chance = random.Random(number)  # noqa: S311
    with contextlib.closing(Database(config.store)) as database:
        for _ in range(BATCHES):
            ids = [f"<{chance.randrange(1 << 64):x}@example.net>" for _ in range(5)]
            with database.writing() as connection:
                tickets.add(connection, tickets.rows([make_ticket(message_id=one) for one in ids]))


def read(config: Config) -> None:
    """Read all tickets, again and again; none that was there goes."""
    before = TICKETS
    with contextlib.closing(Database(config.store)) as database:
        for _ in range(BATCHES):
            with database.reading() as connection:
                found = [json.loads(one.body) for one in tickets.find(connection, Query())]
            assert len(found) >= before
            before = len(found)


def test_killed_at_any_point_the_file_is_as_good_as_before(config: Config, tmp_path: Path) -> None:
    chance = random.Random(SEED)  # noqa: S311
    settle(config)
    path = path_of(config)
    shutil.copy(path, tmp_path / "copy")
    before = stored(config, "SELECT * FROM ticket")
    ticks = count(0, wiping.HOLD / 10)
    with contextlib.closing(Database(config.store)) as database:
        wipe(database, ticks.__next__)
    ends = round(next(ticks) / wiping.HOLD * 10)

    for _ in range(KILLS):
        shutil.copy(tmp_path / "copy", path)
        killed(config, chance.randrange(ends))

        assert left(config)
        assert stored(config, "SELECT * FROM ticket") == before
        assert is_whole(config)
        with contextlib.closing(Database(config.store)) as database:
            assert wipe(database)
        assert left(config) == []


def killed(config: Config, point: int) -> None:
    """Overwrite what is left in a process that is killed when it looks at the clock for the nth time."""
    child = os.fork()
    if not child:
        ticks = iter(range(point))

        def strike() -> float:
            if (tick := next(ticks, None)) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            return (tick or 0) * wiping.HOLD / 10

        wipe(Database(config.store), strike)
        os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
