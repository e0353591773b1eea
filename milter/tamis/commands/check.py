"""`tamis check`: configuration, store, scanners, models, relay and MTA wiring, one line each."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tamis import address, units
from tamis import config as configuration
from tamis.checks import clamd
from tamis.commands.options import Subparsers, common, print_json
from tamis.config import Config, ConfigError
from tamis.interfaces import StoreUnavailable
from tamis.service import parts

# Of Postfix's main.cf.
PARAMETERS = (
    "smtpd_milters",
    "queue_directory",
    "milter_default_action",
    "milter_content_timeout",
    "recipient_delimiter",
)


class Status(StrEnum):
    """How a part is."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Line:
    """What is known of one part."""

    part: str
    status: Status
    detail: str


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser("check", help="check the set-up", description=__doc__)
    common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print a line per part; 1 where one has failed."""
    failed = False
    for line in _lines(args.config):
        failed = failed or line.status is Status.FAILED
        if args.json:
            print_json({"part": line.part, "status": line.status.value, "detail": line.detail})
        else:
            print(f"{line.status.value:<8} {line.part:<14} {line.detail}")
    return 1 if failed else 0


def _lines(path: str | None) -> Iterator[Line]:
    file = configuration.find(path)
    try:
        config = configuration.load(path)
    except ConfigError as error:
        for text in str(error).splitlines():
            yield Line("configuration", Status.FAILED, text)
        return
    yield Line("configuration", Status.OK, str(file))
    yield _store(config)
    yield from _scanners(config)
    yield _models(config)
    yield from _relay(config)
    yield from _wiring(config)


def _store(config: Config) -> Line:
    try:
        return Line("store", Status.OK, parts.check_store(config))
    except StoreUnavailable as error:
        return Line("store", Status.FAILED, str(error))


def _scanners(config: Config) -> Iterator[Line]:
    for text in config.antivirus.clamd:
        where = address.parse(text)
        try:
            yield Line("clamd", Status.OK, f"{text}: {clamd.probe(where)}")
        except OSError as error:
            yield Line("clamd", Status.FAILED, f"{text}: {_reason(error)}")
            continue
        if isinstance(where, address.UnixAddress) or where.is_loopback:
            yield _unpacking(where)
        else:
            yield Line("clamd", Status.WARNING, f"{text}: messages go there over the network in clear")


def _reason(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "permission denied: the user that runs this must be in the group of clamd's socket"
    return error.strerror or str(error)


def _unpacking(where: address.Address) -> Line:
    """Say whether a clamd of this host, which unpacks mail into files, does so in memory only."""
    try:
        known = clamd.unpacking(where)
    except OSError as error:
        return Line("clamd", Status.WARNING, f"cannot tell whether it unpacks in memory: {_reason(error)}")
    text = f"TemporaryDirectory {known.folder} ({known.configuration}) is"
    if known.in_memory:
        return Line("clamd", Status.OK, f"{text} in memory")
    return Line("clamd", Status.FAILED, f"{text} not on tmpfs: clamd unpacks mail onto a disk")


def _models(config: Config) -> Line:
    try:
        parts.filters(config)
    except (OSError, ConfigError, ValueError) as error:
        return Line("models", Status.FAILED, str(error))
    return Line("models", Status.OK, "antispam and graymail can be loaded")


def _relay(config: Config) -> Iterator[Line]:
    if config.resend.relay:
        yield Line("relay", Status.WARNING, "resend.relay is not used yet: no copies are sent")
    else:
        yield Line(
            "relay",
            Status.WARNING,
            "resend.relay is not set: recipients of one message get only what all of them want",
        )
    if config.milter.defer_mixed:
        yield Line("relay", Status.WARNING, "milter.defer_mixed is not used yet")


def _wiring(config: Config) -> Iterator[Line]:
    """Compare Postfix's parameters with what Tamis needs."""
    if shutil.which("postconf") is None:
        text = "no postconf here: compare the MTA's settings with docs/install-postfix.md"
        yield Line("mta", Status.WARNING, text)
        return
    try:
        known = _parameters()
    except OSError as error:
        yield Line("mta", Status.WARNING, f"Postfix's parameters cannot be read: {error}")
        return
    yield _named_as_milter(config, known)
    yield _default_action(known)
    yield _content_timeout(config, known)
    delimiter = known.get("recipient_delimiter", "")
    if config.mail.recipient_delimiter and config.mail.recipient_delimiter not in delimiter:
        text = f'mail.recipient_delimiter is "{config.mail.recipient_delimiter}", Postfix\'s is "{delimiter}"'
        yield Line("mta", Status.WARNING, text)


def _parameters() -> Mapping[str, str]:
    """Return what postconf(1) says of main.cf, expanded, and the milters of master.cf's services."""
    found = dict(_pairs(["postconf", "-x", *PARAMETERS]))
    for name, value in _pairs(["postconf", "-P", "*/*/smtpd_milters"]):
        found[name] = value
    return found


def _pairs(command: list[str]) -> Iterator[tuple[str, str]]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # fixed words
    if done.returncode != 0:
        raise OSError(done.stderr.strip().partition("\n")[0] or f"postconf ended with {done.returncode}")
    for line in done.stdout.splitlines():
        name, _, value = line.partition(" = ")
        yield name, value


def _named_as_milter(config: Config, known: Mapping[str, str]) -> Line:
    ours = address.parse(config.milter.listen)
    places = [name for name, value in known.items() if name.rpartition("/")[2] == "smtpd_milters"]
    for name in places:
        for word in re.split(r"[\s,{}]+", known[name]):
            if _same(word, ours, known.get("queue_directory", "")):
                return Line("mta", Status.OK, f"Postfix's {name} names Tamis")
    return Line("mta", Status.FAILED, f"Postfix's smtpd_milters does not name {config.milter.listen}")


def _same(milter: str, ours: address.Address, queue_directory: str) -> bool:
    """Tell whether a milter of Postfix is ours; in a chroot, its sockets are below the queue directory."""
    match ours:
        case address.UnixAddress(path):
            theirs = milter.removeprefix("unix:").removeprefix("local:")
            return theirs != milter and path in (theirs, f"{queue_directory}/{theirs.lstrip('/')}")
        case address.InetAddress(_, port):
            try:
                theirs_inet = address.parse(milter)
            except ValueError:
                return False
            if not isinstance(theirs_inet, address.InetAddress) or theirs_inet.port != port:
                return False
            return theirs_inet.host == ours.host or (theirs_inet.is_loopback and ours.is_loopback)


def _default_action(known: Mapping[str, str]) -> Line:
    match known.get("milter_default_action"):
        case "tempfail":
            return Line("mta", Status.OK, "Postfix's milter_default_action is tempfail")
        case "shutdown":
            text = "Postfix's milter_default_action is shutdown: tempfail lets the client end in good order"
            return Line("mta", Status.WARNING, text)
        case other:
            text = f"Postfix's milter_default_action is {other}, which loses mail or lets malware through:"
            return Line("mta", Status.FAILED, f"{text} tempfail")


def _content_timeout(config: Config, known: Mapping[str, str]) -> Line:
    text = known.get("milter_content_timeout", "")
    try:
        patience = units.duration(text.replace("w", "weeks"))  # postconf(5): s, m, h, d, w
    except ValueError:
        return Line("mta", Status.WARNING, f"Postfix's milter_content_timeout cannot be read: {text}")
    if patience <= config.milter.deadline:
        problem = f"is not above milter.deadline ({config.milter.deadline:.0f}s): Postfix gives up first"
        return Line("mta", Status.FAILED, f"Postfix's milter_content_timeout ({text}) {problem}")
    return Line("mta", Status.OK, f"Postfix's milter_content_timeout ({text}) is above milter.deadline")
