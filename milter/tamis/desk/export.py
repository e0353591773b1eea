"""All that is kept about an account, in a zip for its user (GDPR, articles 15 and 20)."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TypeAlias

from sqlalchemy import Connection

import tamis
from tamis.accounts import Accounts
from tamis.desk import handout
from tamis.desk.cells import Csv, Xlsx
from tamis.desk.readme import README
from tamis.desk.records import Part, parts
from tamis.ticket import timestamp

PIECE = 1 << 20  # octets that are copied at once
NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9@._+-]|^\.")  # of files; an address may have a slash

Scratch: TypeAlias = Callable[[], IO[bytes]]
"""Makes a file without a name, gone once it is closed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in the zip."""

    name: str
    sha256: str
    octets: int
    records: int | None = None  # in it

    def as_json(self) -> dict[str, object]:
        """Return the object that stands in the manifest."""
        found: dict[str, object] = {"name": self.name, "sha256": self.sha256, "size": self.octets}
        return found if self.records is None else found | {"records": self.records}


def file_name(address: str) -> str:
    """Return what the zip of an account is called."""
    return NOT_IN_NAMES.sub("_", address) + ".zip"


def export(
    connection: Connection, address: str, accounts: Accounts, path: Path, *, now: int, replace: bool
) -> dict[str, int]:
    """Write the zip; return how many records of each kind are in it.

    Whatever ends this before leaves no file behind. Raise OSError, FileExistsError among others.
    """
    with handout.written(path, replace=replace) as file:
        return write(connection, address, accounts, file, lambda: handout.scratch(path), now=now)


def write(
    connection: Connection, address: str, accounts: Accounts, file: IO[bytes], scratch: Scratch, *, now: int
) -> dict[str, int]:
    """Write the zip into an open file, likewise; raise OSError."""
    with zipfile.ZipFile(file, "w") as archive:
        packer = Packer(archive, scratch, now)
        entries = [packer.pack("README.txt", io.BytesIO(README.encode()))]
        counts: dict[str, int] = {}
        for part in parts(connection, address, accounts, until=now):
            found = list(packer.table(part))
            entries += found
            counts[part.name] = found[0].records or 0
        manifest = {
            "account": address,
            "created": timestamp(now),
            "tamis": tamis.__version__,
            "files": [one.as_json() for one in entries],
        }
        packer.pack("manifest.json", io.BytesIO(json.dumps(manifest, indent=2, ensure_ascii=False).encode()))
    return counts


class Packer:
    """Puts files into a zip; none is held in memory."""

    def __init__(self, archive: zipfile.ZipFile, scratch: Scratch, now: int) -> None:
        self._archive = archive
        self._scratch = scratch
        self._time = datetime.fromtimestamp(now / 1000, UTC).timetuple()[:6]

    def pack(self, name: str, content: IO[bytes], records: int | None = None) -> Entry:
        """Add a file, from its start."""
        about = zipfile.ZipInfo(name, self._time)
        about.compress_type = zipfile.ZIP_DEFLATED
        about.external_attr = 0o600 << 16
        digest, octets = hashlib.sha256(), 0
        content.seek(0)
        with self._archive.open(about, "w", force_zip64=True) as target:
            while piece := content.read(PIECE):
                digest.update(piece)
                octets += len(piece)
                target.write(piece)
        return Entry(name, digest.hexdigest(), octets, records)

    def table(self, part: Part) -> Iterator[Entry]:
        """Add records as JSON, CSV and XLSX, which are made at once, so that each record is read once."""
        with contextlib.ExitStack() as stack:
            files = {kind: stack.enter_context(self._scratch()) for kind in ("json", "csv", "xlsx")}
            with (
                contextlib.closing(Csv(files["csv"], part.columns)) as csv,
                contextlib.closing(Xlsx(files["xlsx"], part.name, part.columns)) as xlsx,
            ):
                count = _write(part, files["json"], csv, xlsx)
            for kind, file in files.items():
                yield self.pack(f"{part.name}.{kind}", file, count)


def _write(part: Part, objects: IO[bytes], *tables: Csv | Xlsx) -> int:
    """Write records to an array of JSON objects, and to tables; return how many there were."""
    count = 0
    for record in part.records:
        text = json.dumps(record, ensure_ascii=False)
        # Half a character, which JSON can hold, has no octets.
        objects.write((b",\n" if count else b"[\n") + text.encode("utf-8", "replace"))
        for row in part.rows(record):
            for table in tables:
                table.write(row)
        count += 1
    objects.write(b"\n]\n" if count else b"[]\n")
    return count
