"""A file for somebody outside: whole or not there at all, and readable by its owner only."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO


@contextlib.contextmanager
def written(path: Path, *, replace: bool = False) -> Iterator[BinaryIO]:
    """Lend a file that has its name only once the block is done; raise OSError, FileExistsError among others.

    Until then it has none: whatever ends the process before leaves nothing behind. A file of that name is
    replaced where that is said.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if not replace and os.path.lexists(path):  # before the work is done
            raise FileExistsError(f"{path} is there already")
        nameless = os.open(path.parent, os.O_TMPFILE | os.O_RDWR, 0o600)
        with open(nameless, "w+b") as file:  # noqa: PTH123  # a descriptor has no path
            yield file
            file.flush()
            os.fsync(nameless)
            _name(nameless, path, folder, replace=replace)
        os.fsync(folder)
    finally:
        os.close(folder)


def _name(nameless: int, path: Path, folder: int, *, replace: bool) -> None:
    # A link replaces nothing: there the file needs a name of its own before.
    name = path.with_name(f".{secrets.token_hex(8)}.new") if replace else path
    # Python follows the link that stands for the file only with a folder (open(2), O_TMPFILE).
    os.link(f"/proc/self/fd/{nameless}", name, src_dir_fd=folder, follow_symlinks=True)
    if replace:
        name.replace(path)


def scratch(path: Path) -> IO[bytes]:
    """Return a file without a name, beside the one that is made of it, gone once it is closed."""
    return tempfile.TemporaryFile(dir=path.parent)
