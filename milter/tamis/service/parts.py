"""Makes the parts of a process from the configuration and hands them to each other."""

from __future__ import annotations

import asyncio
import contextlib
import os
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tamis import address
from tamis.accounts import Accounts, WithoutCatchAll
from tamis.checks.antispam import Antispam, UnknownRule
from tamis.checks.antivirus import Antivirus
from tamis.checks.graymail import Graymail
from tamis.config import Config
from tamis.front.front import Front
from tamis.front.stream import Stream
from tamis.interfaces import UNCOUNTED, CopyGuard, Metrics
from tamis.learning.features import Latest
from tamis.learning.model import GraymailModel, SpamModel, load
from tamis.resend.copies import Copies
from tamis.scan import SHARE, Scanner
from tamis.store import secrets, upgrade
from tamis.store.aliasfile import AliasFile
from tamis.store.database import Database
from tamis.store.lane import Lane
from tamis.store.sources import Query, Tables
from tamis.store.thread import Store


@dataclass(frozen=True, slots=True)
class Models:
    """What was learned; loaded once, and shared by the workers that are forked after."""

    antispam: SpamModel
    graymail: GraymailModel


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters that compute."""

    antispam: Antispam
    graymail: Graymail


def models() -> Models:
    """Load the models; they share the features of a message."""
    latest = Latest()
    return Models(load("antispam", latest=latest), load("graymail", latest=latest))


def filters(config: Config, learned: Models | None = None) -> Filters:
    """Return the filters; raise ConfigError for a weight of an unknown rule."""
    learned = learned or models()
    try:
        antispam = Antispam(learned.antispam, config.antispam.weights)
    except UnknownRule as error:
        raise config.refused(("antispam", "weights", error.name), str(error)) from error
    return Filters(antispam, Graymail(learned.graymail))


def front(config: Config) -> Front:
    """Return what speaks the milter protocol."""
    milter = config.milter
    match milter.front:
        case "stream":
            return Stream(milter)
        case "libmilter":
            from tamis.front.libmilter import Libmilter  # loads libmilter's threads and signals with it

            return Libmilter(milter)


def scanner(
    config: Config, loaded: Filters, executor: Executor | None = None, *, metrics: Metrics = UNCOUNTED
) -> Scanner:
    """Return the filters of one process for one event loop; big messages are judged in the executor."""
    # All clamds of the list share the time in which Scanner waits, so that the last one is reached.
    patience = min(config.antivirus.timeout, SHARE * config.milter.deadline)
    return Scanner(
        config,
        antivirus=Antivirus(config.antivirus.clamd, patience, config.milter.max_message, metrics=metrics),
        antispam=loaded.antispam,
        graymail=loaded.graymail,
        executor=executor or big_messages(),
    )


def big_messages() -> Executor:
    """Return where big messages are judged: one at a time, beside the event loop."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="big")


def workers(config: Config) -> int:
    """Return how many workers shall serve."""
    return config.milter.workers or len(os.sched_getaffinity(0))


def store(
    config: Config,
    loop: asyncio.AbstractEventLoop,
    *,
    writer: bytes | None = None,
    metrics: Metrics = UNCOUNTED,
) -> Store:
    """Return the store of one process; start() it on use and close() it at the end.

    writer is the name of the socket on which the tickets' writer is called, where there is one.
    """
    database = Database(config.store)
    tables, sources = _sources(config, database)
    accounts = Accounts(config, sources, tables)
    watched = list(dict.fromkeys((tables, *sources)))
    remember = config.resend.remember if config.resend.relay else None
    lane = None if writer is None else Lane(writer, config.store, loop)
    return Store(
        database, accounts, watched=watched, remember=remember, loop=loop, lane=lane, metrics=metrics
    )


def copies(config: Config, guard: CopyGuard) -> Copies | None:
    """Return what hands copies over, where there is a relay; raise StoreUnavailable."""
    if not config.resend.relay:
        return None
    return Copies(address.parse(config.resend.relay), guard, installation_key(config))


def named_accounts(config: Config, database: Database) -> Accounts:
    """Return what finds the account that somebody names, which no catch-all stands for."""
    tables, sources = _sources(config, database)
    return Accounts(config, [WithoutCatchAll(source) for source in sources], tables)


def prepare_store(config: Config) -> None:
    """Make and migrate the database; raise StoreUnavailable. No connection stays open, so fork after it."""
    upgrade.prepare(config.store)


def installation_key(config: Config) -> bytes:
    """Return the random octets that all share who share the store; raise StoreUnavailable."""
    with contextlib.closing(Database(config.store)) as database, database.reading() as connection:
        return secrets.get(connection, secrets.INSTALLATION)


def web_key(config: Config) -> bytes:
    """Return the random octets of what browsers and programs hold; raise StoreUnavailable."""
    with contextlib.closing(Database(config.store)) as database, database.reading() as connection:
        return secrets.get(connection, secrets.WEB)


def check_store(config: Config) -> str:
    """Return a sentence on the store, which is not changed; raise StoreUnavailable."""
    found = upgrade.describe(config.store)
    with contextlib.closing(Database(config.store)) as database:
        _, sources = _sources(config, database)
        for source in sources:
            # Tamis's own tables, and the database itself, may not have been made yet.
            if isinstance(source, AliasFile) or (isinstance(source, Query) and database.exists):
                source.targets([f"postmaster@{config.mail.domains[0]}"])
    return found


def _sources(config: Config, database: Database) -> tuple[Tables, list[Tables | AliasFile | Query]]:
    """Return the store's tables and what is asked for aliases, in the configured order."""
    tables = Tables(database)
    sources: list[Tables | AliasFile | Query] = []
    for text in config.accounts.sources:
        kind, _, rest = text.partition(":")
        match kind:
            case "file":
                sources.append(AliasFile(Path(rest), config.mail.domains))
            case "sql":
                sources.append(Query(database, rest))
            case _:
                sources.append(tables)
    return tables, sources
