"""What Postfix's main.cf and master.cf say of milters, as postconf(1) tells it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tamis.address import InetAddress
from tamis.wiring import ports

FOLDERS = ("/usr/sbin", "/usr/local/sbin")  # not in every user's PATH
PARAMETERS = (
    "compatibility_level",
    "content_filter",
    "inet_interfaces",
    "mail_owner",
    "mailbox_transport",
    "message_size_limit",
    "milter_command_timeout",
    "milter_content_timeout",
    "milter_default_action",
    "milter_macro_daemon_name",
    "milter_protocol",
    "mydestination",
    "non_smtpd_milters",
    "queue_directory",
    "receive_override_options",
    "recipient_delimiter",
    "relay_domains",
    "smtpd_client_restrictions",
    "smtpd_data_restrictions",
    "smtpd_end_of_data_restrictions",
    "smtpd_helo_restrictions",
    "smtpd_milter_maps",
    "smtpd_milters",
    "smtpd_recipient_restrictions",
    "smtpd_relay_restrictions",
    "smtpd_sender_restrictions",
    "smtpd_tls_security_level",
    "virtual_alias_domains",
    "virtual_mailbox_domains",
    "virtual_transport",
)
# Those that a milter may have for itself, in "{ unix:SOCKET, NAME=VALUE }", without "milter_" (postconf(5)).
OWN = frozenset({"command_timeout", "content_timeout", "default_action", "protocol"})


@dataclass(frozen=True, slots=True)
class Milter:
    """A milter as a list of Postfix names it."""

    address: str  # unix:PATH, local:PATH, inet:HOST:PORT; PATH may be relative to the queue directory
    own: Mapping[str, str]  # parameters of its own


@dataclass(frozen=True, slots=True)
class Service:
    """A line of master.cf, with the parameters that are in force for it."""

    name: str  # "submission/inet"
    chroot: bool
    command: str
    parameters: Mapping[str, str]
    own: frozenset[str]  # names that the line itself sets

    def milters(self, parameter: str) -> Iterator[Milter]:
        """Yield the milters that mail of this service goes through."""
        if self.asks_milters:
            yield from milters(self.parameters[parameter])

    @property
    def asks_milters(self) -> bool:
        """Whether it asks those that a parameter names."""
        return "no_milters" not in words(self.parameters["receive_override_options"])

    @property
    def port(self) -> str:
        """Its port, as master.cf names it."""
        return self.name.partition("/")[0].rpartition(":")[2]

    @property
    def is_public(self) -> bool:
        """Whether others than this host reach it."""
        if not self.name.endswith("/inet"):
            return self.name.endswith("/pass")  # behind postscreen(8)
        return not all(ports.is_loopback(one) for one in self._hosts)

    def listens_at(self, where: InetAddress) -> bool:
        """Tell whether a connection to an address of this host leads here."""
        return self.name.endswith("/inet") and any(ports.leads(where, one, self.port) for one in self._hosts)

    @property
    def _hosts(self) -> list[str]:
        """Where it listens, as inet_interfaces writes it."""
        host = self.name.partition("/")[0].rpartition(":")[0].strip("[]")
        return [host] if host else words(self.parameters["inet_interfaces"])


@dataclass(frozen=True, slots=True)
class Postfix:
    """One instance of Postfix."""

    parameters: Mapping[str, str]  # those of PARAMETERS, expanded
    explicit: frozenset[str]  # names that main.cf itself sets
    listeners: tuple[Service, ...]  # what takes mail by SMTP
    cleanup: Service | None  # what takes mail of this host's programs, for non_smtpd_milters

    @property
    def queue_directory(self) -> Path:
        """Where it works, and what a chroot is."""
        return Path(self.parameters["queue_directory"])


def find() -> str | None:
    """Return the program postconf, if Postfix is here."""
    return shutil.which("postconf", path=os.pathsep.join((os.environ.get("PATH", ""), *FOLDERS)))


def read(postconf: str) -> Postfix:
    """Return what the instance that MAIL_CONFIG names, or the default one, is told; raise OSError."""
    parameters = {name: "" for name in PARAMETERS} | dict(_pairs(postconf, "-x", *PARAMETERS))
    explicit = frozenset(name for name, _ in _pairs(postconf, "-n"))
    own: dict[str, dict[str, str]] = {}
    for key, value in _pairs(postconf, "-Px"):
        name, _, parameter = key.rpartition("/")
        own.setdefault(name, {})[parameter] = value
    services = tuple(_services(postconf, parameters, own))
    return Postfix(
        parameters,
        explicit,
        tuple(one for one in services if one.command == "smtpd"),
        next((one for one in services if one.name.startswith("cleanup/")), None),
    )


def _services(
    postconf: str, parameters: Mapping[str, str], own: Mapping[str, dict[str, str]]
) -> Iterator[Service]:
    # "-" is the default, "n" since compatibility level 1 (master(5)).
    by_default = not re.match(r"[1-9]", parameters["compatibility_level"])
    for line in _lines(postconf, "-M"):
        place, kind, _, _, chroot, _, _, command, *_ = line.split()
        name = f"{place}/{kind}"
        inside = by_default if chroot == "-" else chroot == "y"
        options = own.get(name, {})
        yield Service(name, inside, command, {**parameters, **options}, frozenset(options))


def _pairs(postconf: str, *arguments: str) -> Iterator[tuple[str, str]]:
    for line in _lines(postconf, *arguments):
        name, _, value = line.partition(" =")
        yield name, value.strip()


def _lines(*command: str) -> list[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # fixed words
    if done.returncode != 0:
        raise OSError(done.stderr.strip().partition("\n")[0] or f"postconf ended with {done.returncode}")
    return done.stdout.splitlines()


def words(text: str) -> list[str]:
    """Return the items of a list of Postfix."""
    return [word for word in re.split(r"[\s,]+", text) if word]


def milters(text: str) -> Iterator[Milter]:
    """Yield the milters of a list: words, and "{ unix:SOCKET, NAME=VALUE }"."""
    for braced, word in re.findall(r"\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}|([^\s,{}]+)", text):
        if word:
            yield Milter(word, {})
            continue
        address, *settings = [part.strip(" \t{}") for part in braced.split(",")]
        pairs = (setting.partition("=") for setting in settings)
        yield Milter(
            address, {name.strip(): value.strip() for name, _, value in pairs if name.strip() in OWN}
        )
