"""Aliases out of a file in the form of aliases(5) or virtual(5)."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from tamis.interfaces import StoreUnavailable

log = logging.getLogger(__name__)

ALIAS = re.compile(r'("(?:[^"\\]|\\.)*"|[^\s:"]+)\s*:(.*)', re.DOTALL)  # aliases(5): "name: targets"
VIRTUAL = re.compile(r"(\S+)\s+(.*)", re.DOTALL)  # virtual(5): "name targets"
TARGET = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^\s,"])+')
OPAQUE = ("|", "/", ":include:")  # a program, a file, a list of addresses: not ours to follow


class AliasFile:
    """One file, read when it has changed."""

    def __init__(self, path: Path, domains: Collection[str]) -> None:
        self._path = path
        self._domains = frozenset(domains)
        self._state: tuple[int, ...] | None = None
        self._entries: Mapping[str, tuple[str, ...]] | None = None

    def targets(self, names: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Return the targets of those lower-case names that it has; none for one that is not followed.

        A name without domain belongs to every domain of ours. Raise StoreUnavailable for a file that could
        never be read.
        """
        if self._entries is None:
            self.changed()
        entries = self._entries
        if entries is None:
            raise StoreUnavailable(f"accounts.sources: {self._path} cannot be read")
        found: dict[str, tuple[str, ...]] = {}
        for name in names:
            local, _, domain = name.rpartition("@")
            given = entries.get(name)
            if given is None and local and domain in self._domains:
                given = entries.get(local)
            if given is not None:
                found[name] = given
        return found

    def changed(self) -> bool:
        """Read the file again where it is another than before; tell whether it is."""
        try:
            found = os.stat(self._path)  # noqa: PTH116  # four times a second in each process
            state = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
            if state == self._state:
                return False
            text = self._path.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError as error:
            if self._state is not None:
                self._state = None
                log.error("alias file cannot be read, its last contents stay in force errno=%s", error.errno)
            return False
        self._state = state
        self._entries = parse(text)
        return True


def parse(text: str) -> Mapping[str, tuple[str, ...]]:
    """Return the names of a file and their targets, in lower case; the first of equal names counts.

    A name that leads to a program, a file or an included list has no targets.
    """
    found: dict[str, tuple[str, ...]] = {}
    for line in _logical_lines(text):
        match = ALIAS.fullmatch(line) or VIRTUAL.fullmatch(line)
        if match:
            targets = [_bare(one) for one in TARGET.findall(match[2])]
            followed = not any(one.startswith(OPAQUE) for one in targets)
            found.setdefault(_bare(match[1]).lower(), _lower(targets) if followed else ())
    return found


def _logical_lines(text: str) -> Iterator[str]:
    """Return lines joined with those that continue them, which begin with a blank."""
    whole = ""
    for line in text.split("\n"):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0] in " \t":
            whole += line
            continue
        if whole:
            yield whole.strip()
        whole = line
    if whole:
        yield whole.strip()


def _bare(text: str) -> str:
    r"""Return a name without the quotes around it and without aliases(5)'s "\" for a mailbox."""
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = re.sub(r"\\(.)", r"\1", text[1:-1])
    return text.removeprefix("\\")


def _lower(targets: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.lower() for one in targets))
