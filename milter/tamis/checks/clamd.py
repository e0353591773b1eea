"""What an operator asks of a clamd: does it answer, and where does it unpack mail (clamd.conf(5))."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import clamd

from tamis.address import Address, InetAddress, UnixAddress

PATIENCE = 5.0  # seconds for each step of a probe
# Where Debian, Fedora, FreeBSD and a build of one's own have it.
CONFIGURATIONS = (
    "/etc/clamav/clamd.conf",
    "/etc/clamd.d/scan.conf",
    "/usr/local/etc/clamd.conf",
    "/etc/clamd.conf",
)
DEFAULT_TEMPORARY_DIRECTORY = "/tmp"  # noqa: S108  # libclamav's own, without TemporaryDirectory and TMPDIR
IN_MEMORY = frozenset({"tmpfs", "ramfs"})

Settings = Mapping[str, tuple[str, ...]]


class _Client(clamd.ClamdNetworkSocket):  # type: ignore[misc]  # the package has no types
    """The package's client, with a time-out for connecting too, and IPv6."""

    def __init__(self, where: Address) -> None:
        super().__init__()
        self._where = where

    def _init_socket(self) -> None:
        match self._where:
            case UnixAddress(path):
                self.clamd_socket = socket.socket(socket.AF_UNIX)
                self.clamd_socket.settimeout(PATIENCE)
                self.clamd_socket.connect(path)
            case InetAddress(host, port):
                self.clamd_socket = socket.create_connection((host, port), PATIENCE)


def probe(where: Address) -> str:
    """Return the version of the clamd at an address, its signatures' too; raise OSError."""
    client = _Client(where)
    try:
        if client.ping() != "PONG":
            raise OSError(errno.EPROTO, "does not answer PING as clamd does")
        return str(client.version())
    except (clamd.ClamdError, UnicodeDecodeError) as error:
        raise OSError(errno.EPROTO, f"does not answer as clamd does: {error}") from error


@dataclass(frozen=True, slots=True)
class Unpacking:
    """Where a clamd unpacks mail into files."""

    folder: Path
    in_memory: bool
    configuration: Path


def unpacking(where: Address) -> Unpacking:
    """Return where the clamd on this host at an address unpacks; raise OSError where that cannot be told."""
    for file, process in _configurations():
        try:
            settings = parse(file.read_text(errors="replace"))
        except OSError:
            continue
        if not _listens(settings, where):
            continue
        folder = Path(settings.get("TemporaryDirectory", (DEFAULT_TEMPORARY_DIRECTORY,))[0])
        return Unpacking(folder, file_system(folder, process) in IN_MEMORY, file)
    raise FileNotFoundError(errno.ENOENT, f"no clamd.conf that names {where} can be found")


def parse(text: str) -> Settings:
    """Return the settings of a clamd.conf, each with its values in order."""
    found: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        name, _, value = line.partition("#")[0].strip().partition(" ")
        if name:
            found[name] = (*found.get(name, ()), value.strip().strip('"'))
    return found


def file_system(folder: Path, process: int | None = None) -> str:
    """Return the type of the file system that a process sees a folder on, or this one if that is hidden."""
    path = os.path.realpath(folder)
    for who in (process, "self"):
        try:
            mounts = Path(f"/proc/{who}/mountinfo").read_text(errors="replace")
        except OSError:
            continue
        return _type_of(path, mounts)
    raise FileNotFoundError(errno.ENOENT, "/proc is not mounted")


def _type_of(path: str, mounts: str) -> str:
    """Return the type of the innermost mount above a path, the last one of several (proc(5), mountinfo)."""
    innermost, kind = "", ""
    for line in mounts.splitlines():
        mount, _, source = line.partition(" - ")
        point = mount.split(" ")[4].encode().decode("unicode_escape")  # a blank is \040
        above = path == point or path.startswith(point.rstrip("/") + "/")
        if above and len(point) >= len(innermost):
            innermost, kind = point, source.split(" ")[0]
    return kind


def _configurations() -> Iterator[tuple[Path, int | None]]:
    """Yield the configurations of the clamds that run, then those at the usual places."""
    for process in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it has ended, or is hidden from us
        if Path(words[0]).name == "clamd":
            for file in _named(words[1:]) or CONFIGURATIONS:
                yield Path(file), int(process.name)
    for file in CONFIGURATIONS:
        yield Path(file), None


def _named(words: list[str]) -> list[str]:
    """Return the file of --config-file=FILE, --config-file FILE, -c FILE or -cFILE."""
    found = []
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word in ("-c", "--config-file"):
            found.append(following)
        elif word.startswith("--config-file="):
            found.append(word.removeprefix("--config-file="))
        elif word.startswith("-c"):
            found.append(word.removeprefix("-c"))
    return found


def _listens(settings: Settings, where: Address) -> bool:
    match where:
        case UnixAddress(path):
            sockets = settings.get("LocalSocket", ())
            return any(os.path.realpath(one) == os.path.realpath(path) for one in sockets)
        case InetAddress(_, port):
            return str(port) in settings.get("TCPSocket", ())
