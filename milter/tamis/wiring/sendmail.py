"""What Sendmail's sendmail.cf says of milters (Sendmail Installation and Operation Guide, chapter 5)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

FILES = (Path("/etc/mail/sendmail.cf"), Path("/etc/sendmail.cf"))
PORT = "smtp"  # of a daemon that names none


@dataclass(frozen=True, slots=True)
class Milter:
    """An X line."""

    name: str
    socket: str  # local:PATH, unix:PATH, inet:PORT@HOST
    flags: str  # F=: what happens while it is away
    timeouts: Mapping[str, str]  # T=, by letter: C, S, R, E


@dataclass(frozen=True, slots=True)
class Daemon:
    """A value of DaemonPortOptions."""

    name: str
    port: str
    address: str  # "" for any
    modifiers: str  # M=: "a" requires authentication
    milters: tuple[str, ...]  # names of those that it asks


@dataclass(frozen=True, slots=True)
class Sendmail:
    """A sendmail.cf."""

    file: Path
    options: Mapping[str, str]
    milters: tuple[Milter, ...]
    daemons: tuple[Daemon, ...]


def find() -> Path | None:
    """Return the configuration of the daemon, if Sendmail is here."""
    return next((file for file in FILES if file.exists()), None)


def read(file: Path) -> Sendmail:
    """Return what a sendmail.cf says; raise OSError."""
    options: dict[str, str] = {}
    listeners: list[str] = []
    milters: list[Milter] = []
    for line in _lines(file.read_text(errors="replace")):
        if line.startswith("X"):
            milters.append(_milter(line[1:]))
        elif match := re.match(r"O\s*([A-Za-z]+)\s*=\s*(.*)", line):
            if match[1].lower() == "daemonportoptions":
                listeners.append(match[2])
            else:
                options[match[1].lower()] = match[2].strip()
    asked = _names(options.get("inputmailfilters", ""))
    daemons = tuple(_daemon(text, asked) for text in listeners or [""])
    return Sendmail(file, options, tuple(milters), daemons)


def _lines(text: str) -> Iterator[str]:
    """Yield the lines, those that continue one joined to it, without comments."""
    for line in re.sub(r"\n[ \t]+", " ", text).splitlines():
        if line and not line.startswith("#"):
            yield line


def _milter(text: str) -> Milter:
    name, _, rest = text.partition(",")
    fields = _fields(rest)
    times = (part.partition(":") for part in fields.get("T", "").split(";"))
    timeouts = {letter.strip(): time.strip() for letter, _, time in times if time}
    return Milter(name.strip(), fields.get("S", ""), fields.get("F", ""), timeouts)


def _daemon(text: str, asked: tuple[str, ...]) -> Daemon:
    fields = _fields(text)
    own = fields.get("I")
    return Daemon(
        name=fields.get("N", fields.get("P", "MTA")),
        port=fields.get("P", PORT),
        address=fields.get("A", ""),
        modifiers=fields.get("M", ""),
        milters=asked if own is None else _names(own),
    )


def _fields(text: str) -> dict[str, str]:
    """Return the values of "Name=value, ..." by the first letter of their names, which alone counts."""
    pairs = (part.partition("=") for part in text.split(","))
    return {name.strip()[:1]: value.strip() for name, _, value in pairs if name.strip()}


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in re.split(r"[\s,;]+", text) if name)
