"""The private clamd of the sandbox and the tests."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers.clamd import program

from tamis.sandbox.scanner import PrivateClamd, ScannerFailed, configured


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder whose path is short enough for a socket's."""
    with tempfile.TemporaryDirectory(prefix="tamis-") as name:
        yield Path(name)


def private(folder: Path, **settings: str) -> PrivateClamd:
    path, libraries = program()
    return PrivateClamd(path, folder, libraries=libraries, settings=settings)


def test_clamd_has_nothing_to_say_against_the_shipped_configuration(folder: Path) -> None:
    with private(folder) as clamd:
        lines = clamd.log.splitlines()

    assert lines
    assert [line for line in lines if "WARNING" in line or "ERROR" in line] == []


def test_settings_replace_the_shipped_ones() -> None:
    lines = configured({"MaxThreads": "3", "User": None}).splitlines()

    assert [line for line in lines if line.startswith(("MaxThreads", "User"))] == ["MaxThreads 3"]


def test_a_clamd_that_cannot_start_says_why(folder: Path) -> None:
    with pytest.raises(ScannerFailed, match="Nonsense"), private(folder, Nonsense="yes"):
        pass


def test_a_second_clamd_in_the_same_folder_is_refused(folder: Path) -> None:
    with (
        private(folder),
        pytest.raises(ScannerFailed, match="already runs"),
        private(folder),
    ):
        pass


def test_nothing_is_left_in_memory(folder: Path) -> None:
    with private(folder) as clamd:
        temporary = clamd.temporary_directory

    assert not temporary.exists()
