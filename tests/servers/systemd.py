"""systemd's own programs, unpacked and not installed, which judge our files without a systemd that runs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.servers.postfix import SUDO

ROOT = Path(__file__).parents[2]
UNPACKED = ROOT / "var/debian/systemd"
FILES = ROOT / "systemd"
UNIT = FILES / "tamis.service"
OPTIONS = FILES / "tamis-options.service"
PURGE = FILES / "tamis-purge.service"
TIMER = FILES / "tamis-purge.timer"


def run(program: str, *arguments: object, units: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program such as "bin/systemd-tmpfiles"; units is a folder of units beside systemd's own."""
    path = UNPACKED / program
    assert path.exists(), "no systemd: `make test` or `tests/unpack systemd` gets one"
    libraries = UNPACKED / "usr/lib/x86_64-linux-gnu/systemd"
    shared = next(UNPACKED.glob("**/libsystemd-shared-*.so"), libraries).parent
    environment = {
        "LD_LIBRARY_PATH": f"{shared}:{UNPACKED}/usr/lib/x86_64-linux-gnu",
        "SYSTEMD_UNIT_PATH": f"{units}:{UNPACKED}/lib/systemd/system",
        "PATH": os.environ["PATH"],
    }
    command = [*SUDO, "env", *(f"{key}={value}" for key, value in environment.items()), path, *arguments]
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=30)


def settings(unit: Path = UNIT) -> Mapping[str, list[str]]:
    """Return the settings of a unit, each with its values in order."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        name, is_setting, value = line.partition("=")
        if is_setting and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def system_calls(unit: Path = UNIT) -> frozenset[str]:
    """Return the system calls that a unit allows."""
    groups = _groups()

    def expanded(name: str) -> set[str]:
        if not name.startswith("@"):
            return {name}
        return {call for one in groups[name] for call in expanded(one)}

    allowed: set[str] = set()
    for value in settings(unit)["SystemCallFilter"]:
        calls = {call for name in value.removeprefix("~").split() for call in expanded(name)}
        allowed = allowed - calls if value.startswith("~") else allowed | calls
    return frozenset(allowed | expanded("@default"))


def _groups() -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in run("usr/bin/systemd-analyze", "syscall-filter").stdout.splitlines():
        word = line.strip()
        if line.startswith("@"):
            found[word] = []
        elif word and not word.startswith("#") and found:
            found[list(found)[-1]].append(word)
    return found
