"""A disk that can be full: a small tmpfs of its own, or what stands in for it where none may be mounted."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.servers.postfix import SUDO

SIZE = 64  # MiB
STAND_IN = 4096  # octets that a file may have; the store's are larger


@contextlib.contextmanager
def small(folder: Path) -> Iterator[None]:
    """Mount a disk with little room on a folder."""
    options = f"size={SIZE}m,uid={os.getuid()},gid={os.getgid()}"
    mounted = subprocess.run(
        [*SUDO, "mount", "-t", "tmpfs", "-o", options, "tamis-test", folder], capture_output=True, text=True
    )
    if mounted.returncode:
        reason = mounted.stderr.partition("\n")[0]
        print(f"files that may not grow stand in for a full disk: {reason}", file=sys.stderr)
    try:
        yield
    finally:
        if not mounted.returncode:
            subprocess.run([*SUDO, "umount", "--lazy", folder], check=True)


@contextlib.contextmanager
def full(folder: Path, processes: Sequence[int]) -> Iterator[None]:
    """Leave no room in a folder, if it is a small disk, else for the files that processes write."""
    if folder.is_mount():
        with _filled(folder / "filler"):
            yield
    else:
        with _limited(processes):
            yield


@contextlib.contextmanager
def _filled(path: Path) -> Iterator[None]:
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    try:
        yield
    finally:
        path.unlink()


@contextlib.contextmanager
def _limited(processes: Sequence[int]) -> Iterator[None]:
    """Let files not grow (EFBIG, where a full disk says ENOSPC)."""
    before = [resource.prlimit(one, resource.RLIMIT_FSIZE) for one in processes]
    for one, (_, hard) in zip(processes, before, strict=True):
        resource.prlimit(one, resource.RLIMIT_FSIZE, (STAND_IN, hard))
    try:
        yield
    finally:
        for one, limits in zip(processes, before, strict=True):
            resource.prlimit(one, resource.RLIMIT_FSIZE, limits)
