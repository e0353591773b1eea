"""What stands on a line of the log."""

from __future__ import annotations

import logging

import pytest

from tamis.service.logs import Journal, Record, Terminal


def record(message: str, *args: object, level: int = logging.INFO) -> logging.LogRecord:
    return Record("tamis.pipeline", level, "", 0, message, args, None)


def test_line_for_journald_begins_with_its_priority() -> None:
    line = Journal().format(record("%s: deadline passed", "4Xy7", level=logging.ERROR))

    assert line == "<3>4Xy7: deadline passed"


def test_line_for_a_terminal_tells_time_process_and_level() -> None:
    one = record("%d reloads", 2, level=logging.WARNING)
    one.created, one.process = 1_795_435_200.5, 7

    assert Terminal().format(one) == "2026-11-23T12:00:00.500Z tamis[7] warning: 2 reloads"


@pytest.mark.parametrize(
    ("message", "args"), [("%(one)s and %(other)s", ({"one": 1, "other": 2},)), ("1 and 2", ())]
)
def test_line_is_put_together_as_by_pythons_own_record(message: str, args: tuple[object, ...]) -> None:
    assert record(message, *args).getMessage() == "1 and 2"
