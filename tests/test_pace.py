"""How many rows go into one transaction: so many that it holds the lock for the time that is aimed at."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from tests.stores import make_config

from tamis.interfaces import StoreUnavailable
from tamis.store.database import Database
from tamis.store.pace import AIM, FIRST, LEAST, MOST, SHARE, SHORTEST, Pace, Stride


@pytest.mark.parametrize(
    ("each", "rows"), [(AIM / 40, 40), (AIM / 200, 200), (AIM / 3, LEAST), (0.0, MOST), (AIM * 9, LEAST)]
)
def test_rows_come_to_the_time_aimed_at(each: float, rows: int) -> None:
    stride = Stride(lambda: 0.0)

    for _ in range(20):
        stride.learn(stride.rows, stride.rows * each)

    assert stride.rows == rows


def test_few_rows_that_were_left_do_not_make_the_next_ones_few() -> None:
    stride = Stride(lambda: 0.0)

    stride.learn(1, AIM / FIRST)

    assert stride.rows == FIRST


def test_time_is_counted_while_the_lock_is_held(tmp_path: Path) -> None:
    times = iter((5.0, 5.0 + 2 * AIM))
    stride = Stride(lambda: next(times))
    database = Database(make_config(tmp_path).store)
    with contextlib.closing(database), stride.step(database, FIRST):
        pass

    assert stride.rows == FIRST / 2


def test_pause_is_many_times_the_work() -> None:
    pauses: list[float] = []
    pace = Pace(clock=lambda: 7.0, sleep=pauses.append)

    pace.after(6.0)
    pace.after(7.0)

    assert pauses == [SHARE, SHORTEST]


def test_only_what_is_written_lazily_does_not_wait_for_the_disk(tmp_path: Path) -> None:
    def level() -> object:
        return connection.exec_driver_sql("PRAGMA synchronous").scalar_one()

    with contextlib.closing(Database(make_config(tmp_path).store)) as database:
        with database.lazily() as connection:
            lazy = level()
        with database.writing() as connection:
            after = level()
        with contextlib.suppress(StoreUnavailable), database.lazily() as connection:
            raise StoreUnavailable("by us")
        with database.writing() as connection:
            after_error = level()

    assert (lazy, after, after_error) == (1, 2, 2)  # NORMAL, FULL, FULL
