"""A file for somebody outside: whole or not there at all, and readable by its owner only."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO


@contextlib.contextmanager
def written(path: Path) -> Iterator[TextIO]:
    """Lend a file that has its name only once the block is done; raise OSError, FileExistsError among others.

    Until then it has none: whatever ends the process before leaves nothing behind.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        nameless = os.open(path.parent, os.O_TMPFILE | os.O_WRONLY, 0o600)
        with open(nameless, "w", encoding="utf-8") as file:  # noqa: PTH123  # a descriptor has no path
            yield file
            file.flush()
            os.fsync(nameless)
            # Python follows the link that stands for the file only with a folder (open(2), O_TMPFILE).
            os.link(f"/proc/self/fd/{nameless}", path, src_dir_fd=folder, follow_symlinks=True)
        os.fsync(folder)
    finally:
        os.close(folder)
