"""`tamis check`: configuration, store, scanners, models, relay and MTA wiring, one line each."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import pwd
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tamis import address, sockets
from tamis import config as configuration
from tamis.checks import clamd
from tamis.commands.arguments import Subparsers, common, print_json
from tamis.config import Config, ConfigError
from tamis.desk import purge
from tamis.interfaces import StoreUnavailable
from tamis.judgement import milliseconds_now
from tamis.options.remarks import remarks as remarks_on_page
from tamis.resend import handover, relay
from tamis.resend.connection import RelayUnavailable
from tamis.retention.classes import Clock
from tamis.retention.conflicts import remarks
from tamis.retention.fields import Field
from tamis.retention.period import DAY
from tamis.retention.summary import summary
from tamis.service import parts
from tamis.store.database import Database
from tamis.ticket import timestamp
from tamis.wiring import mta
from tamis.wiring.remark import Status

# What providers promise (docs/privacy.md) and nobody keeps who cannot write to users.
TOLD = "We will send you an email if we modify or delete your data"
# What a relay may not offer, and what copies lose by it.
LATE = 2 * DAY  # since the last purge
LOST_WITHOUT = {
    "XFORWARD": "its log does not show the client of a copy",
    "DSN": "senders get no reports on copies that they ask for",
    "SMTPUTF8": "mail with international addresses cannot be copied",
}


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
    yield from _groups(config)
    yield _store(config)
    yield from _scanners(config)
    yield _models(config)
    yield from _relay(config)
    yield from _metrics(config)
    yield from _tickets(config)
    yield from _retention(config)
    yield from _purge(config)
    yield from _notices(config)
    yield from (Line("web page", one.status, one.text) for one in remarks_on_page(config))
    yield from (Line("mta", one.status, one.text) for one in mta.remarks(config, handover.LONGEST))


def _groups(config: Config) -> Iterator[Line]:
    groups = {"milter": config.milter.socket_group, "options": config.options.socket_group}
    for table, group in groups.items():
        try:
            if group:
                sockets.group_id(group, table)
        except OSError as error:
            yield Line("configuration", Status.FAILED, str(error))


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
        yield from _listener(config.resend.relay)
    else:
        who = "who are not deferred " if config.milter.defers else ""
        yield Line(
            "relay",
            Status.WARNING,
            f"resend.relay is not set: recipients of one message {who}get only what all of them want",
        )


def _listener(text: str) -> Iterator[Line]:
    """Say whether the relay answers, and what copies lose where it does not offer all that they may need."""
    where = address.parse(text)
    try:
        offered = asyncio.run(relay.probe(where))
    except RelayUnavailable as error:
        yield Line("relay", Status.FAILED, f"{text}: {error}")
        return
    yield Line("relay", Status.OK, f"{text}: answers")
    for keyword, loss in LOST_WITHOUT.items():
        if keyword not in offered:
            yield Line("relay", Status.WARNING, f"{text}: does not offer {keyword}: {loss}")
    if isinstance(where, address.InetAddress) and not where.is_loopback:
        yield Line("relay", Status.WARNING, f"{text}: copies go there over the network in clear")


def _metrics(config: Config) -> Iterator[Line]:
    """Say whether whoever runs this could write the file; mail does not depend on it."""
    if not config.metrics.file:
        return
    folder = Path(config.metrics.file).parent
    if not folder.is_dir():
        yield Line(
            "metrics", Status.WARNING, f"{folder} is not there: {config.metrics.file} cannot be written"
        )
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield Line("metrics", Status.WARNING, f"{config.metrics.file} cannot be written by {_user()}")
    else:
        yield Line("metrics", Status.OK, f"{config.metrics.file} can be written by {_user()}")


def _tickets(config: Config) -> Iterator[Line]:
    """Say what tickets hold beside the rest, where that is content."""
    if Field.SUBJECT in config.tickets.fields:
        text = "tickets.fields: a subject is content, and is kept of every message for as long as its ticket"
        yield Line("tickets", Status.WARNING, text)


def _retention(config: Config) -> Iterator[Line]:
    """Say how long records are to be kept, and which promises the operator's own figures break."""
    yield Line("retention", Status.OK, summary(config.rules))
    yield from (Line("retention", Status.WARNING, text) for text in remarks(config.rules))


def _purge(config: Config) -> Iterator[Line]:
    """Say when a purge ran last, once there is a store."""
    with contextlib.closing(Database(config.store)) as database:
        try:
            last = purge.last(database) if database.exists else None
        except StoreUnavailable:  # of which _store() tells
            return
        if not database.exists:
            return
    if last is None or last < milliseconds_now() - LATE:
        ran = "none has run yet" if last is None else f"the last one ran at {timestamp(last)}"
        yield Line("purge", Status.WARNING, f"{ran}: `tamis purge` each day, as tamis-purge.timer does")
    else:
        yield Line("purge", Status.OK, f"the last one ran at {timestamp(last)}")


def _notices(config: Config) -> Iterator[Line]:
    """Say whether users can be told, or which promises are not kept without that."""
    settings = config.notices
    if settings.sendmail:
        command = shlex.split(settings.sendmail)[0]
        if os.access(command, os.X_OK) and Path(command).is_file():
            yield Line("notices", Status.OK, f"{settings.sendmail}: can be run by {_user()}")
        else:
            yield Line("notices", Status.FAILED, f"{command}: no program that {_user()} may run")
    elif settings.smtp:
        try:
            asyncio.run(relay.probe(address.parse(settings.smtp)))
            yield Line("notices", Status.OK, f"{settings.smtp}: answers")
        except RelayUnavailable as error:
            yield Line("notices", Status.FAILED, f"{settings.smtp}: {error}")
    else:
        missing = "neither notices.sendmail nor notices.smtp is set"
        yield Line("notices", Status.WARNING, f'{missing}: not kept: "{TOLD}"')
        by_sign_in = [one for one in config.rules.figures.items() if one[0].clock is Clock.SIGN_IN]
        promises = dict.fromkeys(one.promise or str(key) for key, one in by_sign_in if one.period)
        for promise in promises:
            yield Line("notices", Status.WARNING, f'{missing}: nobody is warned, so not kept: "{promise}"')


def _user() -> str:
    """Return who runs this, as what he may write is not what the service's user may."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"user {os.geteuid()}"
