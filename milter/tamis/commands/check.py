"""`tamis check`: configuration, store, scanners, models, relay and MTA wiring, one line each."""

from __future__ import annotations

import argparse
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tamis import address
from tamis import config as configuration
from tamis.checks import clamd
from tamis.commands.options import Subparsers, common, print_json
from tamis.config import Config, ConfigError
from tamis.interfaces import StoreUnavailable
from tamis.service import parts


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
            yield Line("clamd", Status.FAILED, f"{text}: {error}")
            continue
        if isinstance(where, address.UnixAddress):
            yield _temporary_directory(where)
        elif not where.is_loopback:
            yield Line("clamd", Status.WARNING, f"{text}: messages go there over the network in clear")


def _temporary_directory(where: address.UnixAddress) -> Line:
    """Say whether clamd, which unpacks mail into files, does so in memory only."""
    try:
        folder = clamd.temporary_directory(where)
    except OSError as error:
        return Line("clamd", Status.FAILED, f"TemporaryDirectory of {where} cannot be found: {error}")
    if clamd.is_tmpfs(folder):
        return Line("clamd", Status.OK, f"TemporaryDirectory {folder} is on tmpfs")
    return Line(
        "clamd", Status.FAILED, f"TemporaryDirectory {folder} is not on tmpfs: clamd unpacks mail onto a disk"
    )


def _models(config: Config) -> Line:
    try:
        parts.filters(config)
    except (OSError, ValueError) as error:
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
        yield Line("mta", Status.WARNING, "no postconf here: compare its wiring with docs/operations.md")
        return
    output = subprocess.run(["postconf"], capture_output=True, text=True, check=False)  # noqa: S607
    known = dict(line.split(" = ", 1) for line in output.stdout.splitlines() if " = " in line)
    if config.milter.listen not in known.get("smtpd_milters", "").replace(",", " ").split():
        yield Line("mta", Status.FAILED, f"Postfix's smtpd_milters does not name {config.milter.listen}")
    else:
        yield Line("mta", Status.OK, "Postfix's smtpd_milters names Tamis")
    if known.get("milter_default_action") != "tempfail":
        yield Line("mta", Status.FAILED, "Postfix's milter_default_action should be tempfail")
    delimiter = known.get("recipient_delimiter", "")
    if config.mail.recipient_delimiter and config.mail.recipient_delimiter not in delimiter:
        text = f'mail.recipient_delimiter is "{config.mail.recipient_delimiter}", Postfix\'s is "{delimiter}"'
        yield Line("mta", Status.WARNING, text)
