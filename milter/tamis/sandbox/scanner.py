"""A clamd of one's own, for trying and testing: the shipped configuration in a folder of its own."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Self

from tamis import address
from tamis.checks import clamd

log = logging.getLogger(__name__)

MEMORY = Path("/dev/shm")  # noqa: S108  # a tmpfs on every Linux (shm_overview(7))
START = 120.0  # seconds to load the signatures; a full database takes 20 to 60
STOP = 10.0  # seconds to end after SIGTERM, before it is killed
PAUSE = 0.02  # seconds between looks whether it answers


class ScannerFailed(Exception):
    """clamd does not start; the text quotes what it said."""


class PrivateClamd:
    """A clamd that runs as long as the context does; address is then where it listens.

    Signatures come from a database folder, or it knows the EICAR test file alone.
    """

    def __init__(
        self,
        program: Path,
        folder: Path,
        *,
        libraries: Path | None = None,
        database: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Take the program, a folder for its files, and where its shared libraries are if not installed.

        settings change the shipped clamd.conf.
        """
        self._program = program
        self._folder = folder.absolute()
        self._libraries = libraries
        self._database = database
        self._settings = dict(settings or {})
        self._where = address.parse(f"unix:{self._folder / 'clamd.sock'}")

    @property
    def address(self) -> str:
        """What stands in antivirus.clamd."""
        return str(self._where)

    @property
    def configuration(self) -> Path:
        """Its clamd.conf."""
        return self._folder / "clamd.conf"

    @property
    def log(self) -> str:
        """What it has said so far."""
        return (self._folder / "clamd.log").read_text(errors="replace")

    def __enter__(self) -> Self:
        """Start it and wait until it answers; raise ScannerFailed or OSError."""
        if self._answers():
            raise ScannerFailed(f"a clamd already runs at {self._where}")
        self._folder.mkdir(parents=True, exist_ok=True)
        self.temporary_directory = _temporary_directory(self._folder)
        try:
            self._start()
        except BaseException:
            shutil.rmtree(self.temporary_directory, ignore_errors=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self._stop()
        shutil.rmtree(self.temporary_directory, ignore_errors=True)

    def _start(self) -> None:
        self.configuration.write_text(self._configured())
        command = [str(self._program), "--foreground", f"--config-file={self.configuration}"]
        with (self._folder / "clamd.log").open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603  # the program that the caller named
                command,
                env=_environment(self._libraries),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,  # a terminal's Ctrl-C is for whoever started us, who then stops it
            )
        try:
            self._wait()
        except BaseException:
            self._stop()
            raise

    def _configured(self) -> str:
        """Return the shipped configuration with what is private to this clamd."""
        database = self._database
        if database is None:
            database = self._folder / "database"
            database.mkdir(exist_ok=True)
            signature = files("tamis.conf").joinpath("eicar.ndb")
            (database / "eicar.ndb").write_bytes(signature.read_bytes())
        private = {
            "LocalSocket": str(self._folder / "clamd.sock"),
            "LocalSocketGroup": None,
            "User": None,
            "DatabaseDirectory": str(database),
            "TemporaryDirectory": str(self.temporary_directory),
        }
        return configured({**private, **self._settings})

    def _wait(self) -> None:
        end = time.monotonic() + START
        while self._process.poll() is None and time.monotonic() < end:
            if self._answers():
                return
            time.sleep(PAUSE)
        last = "\n".join(self.log.splitlines()[-5:])
        raise ScannerFailed(f"{self._program} does not start:\n{last}")

    def _answers(self) -> bool:
        try:
            clamd.probe(self._where)
        except OSError:
            return False
        return True

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def configured(settings: Mapping[str, str | None]) -> str:
    """Return the shipped clamd.conf with some settings changed, or left out where None."""
    lines = []
    for line in files("tamis.conf").joinpath("clamd.conf").read_text().splitlines():
        name = line.partition(" ")[0]
        if name not in settings:
            lines.append(line)
    lines += [f"{name} {value}" for name, value in settings.items() if value is not None]
    return "\n".join(lines) + "\n"


def _temporary_directory(folder: Path) -> Path:
    """Return a new folder in memory, or below the given one where there is no such place."""
    if clamd.file_system(MEMORY) in clamd.IN_MEMORY and os.access(MEMORY, os.W_OK):
        return Path(tempfile.mkdtemp(prefix="tamis-clamd-", dir=MEMORY))
    log.warning("clamd unpacks mail into %s, which is on a disk: %s is not in memory here", folder, MEMORY)
    return Path(tempfile.mkdtemp(prefix="unpacked-", dir=folder))


def _environment(libraries: Path | None) -> dict[str, str]:
    """Return our environment, with the folders below libraries that have libclamav in front."""
    if libraries is None:
        return dict(os.environ)
    folders = {path.parent for path in libraries.absolute().glob("**/libclamav.so.*")}
    known = os.environ.get("LD_LIBRARY_PATH")
    path = [str(folder) for folder in sorted(folders)] + ([known] if known else [])
    return {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(path)}
