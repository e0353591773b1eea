"""Who gets at a unix socket."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tamis.wiring import reach

STRANGER = "nobody"  # neither owner nor in the group, unless a test says so


@pytest.fixture
def path() -> Iterator[Path]:
    """Return a file that stands for a socket, in a folder that everybody may enter."""
    with tempfile.TemporaryDirectory(prefix="tamis-") as name:
        folder = Path(name) / "run"
        folder.mkdir()
        folder.chmod(0o755)
        one = folder / "milter.sock"
        one.touch()
        yield one


@pytest.mark.parametrize(("mode", "free"), [(0o666, True), (0o660, False), (0o664, False)])
def test_others_need_the_others_bit(path: Path, mode: int, free: bool) -> None:
    path.chmod(mode)

    assert (reach.obstacle(path, STRANGER, root=path.parents[1]) is None) == free


@pytest.mark.parametrize(("mode", "free"), [(0o660, True), (0o606, False)])
def test_the_groups_bit_alone_counts_for_a_member(
    path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, free: bool
) -> None:
    path.chmod(mode)
    monkeypatch.setattr(os, "getgrouplist", lambda user, group: [group, path.stat().st_gid])

    assert (reach.obstacle(path, STRANGER, root=path.parents[1]) is None) == free


def test_a_folder_that_may_not_be_entered_is_named(path: Path) -> None:
    path.chmod(0o666)
    path.parent.chmod(0o750)

    obstacle = reach.obstacle(path, STRANGER, root=path.parents[1])

    assert obstacle is not None
    assert obstacle.startswith(f"{STRANGER} may not enter {path.parent} (")
    assert obstacle.endswith(" 0750)")


def test_folders_above_the_root_do_not_count(path: Path) -> None:
    path.chmod(0o666)
    path.parents[1].chmod(0o700)

    assert reach.obstacle(path, STRANGER, root=path.parents[1]) is None


def test_root_gets_everywhere(path: Path) -> None:
    path.chmod(0)

    assert reach.obstacle(path, "root", root=Path("/")) is None


def test_nobody_gets_at_what_is_not_there(path: Path) -> None:
    path.unlink()

    with pytest.raises(FileNotFoundError):
        reach.obstacle(path, "root", root=Path("/"))
