"""Makes the parts of the web page and hands them to each other."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from starlette.types import ASGIApp

from tamis.config import Config
from tamis.options.allowance import Allowance
from tamis.options.app import App
from tamis.options.attempts import HOUR, Attempts
from tamis.options.cookie import Cookie
from tamis.options.doorkeeper import Doorkeeper
from tamis.options.errands import Errands
from tamis.options.exports import Exports
from tamis.options.imap import Mailboxes
from tamis.options.keys import Keys
from tamis.options.links import Links
from tamis.options.notice import Notice
from tamis.options.operators import counting
from tamis.options.operators.board import Board
from tamis.options.operators.sampling import sampling
from tamis.options.pages import Pages
from tamis.options.pool import Pool
from tamis.options.routes import OPERATORS, ROUTES
from tamis.options.site import Operators, Site
from tamis.passwords import Passwords
from tamis.service import parts
from tamis.words.times import zone

ENTRIES = 100  # sign-ins to an account in an hour, by whatever way; each is on record, likewise
THREADS = 4  # readers that wait for the disk at once; SQLite and this process write one at a time anyway


@contextlib.contextmanager
def made(config: Config, passwords: Passwords, *, now: Callable[[], int]) -> Iterator[ASGIApp]:
    """Lend the application; raise StoreUnavailable or ConfigError where a key is missing."""
    options = config.options
    links = _links(config) if "link" in options.sign_in else None
    mailboxes = _mailboxes(config) if "imap" in options.sign_in else None
    pool = Pool(config, threads=THREADS, name="store")
    exports = Exports(config)
    errands = Errands(config)
    doorkeeper = Doorkeeper(passwords if "password" in options.sign_in else None, mailboxes)
    operators = _operators(config, passwords)
    site = Site(
        config=config,
        pool=pool,
        keys=Keys(parts.web_key(config)),
        cookie=Cookie(is_secure=options.is_secure),
        doorkeeper=doorkeeper,
        links=links,
        operators=operators,
        pages=_pages(options.prefix),
        notice=Notice(config),
        exports=exports,
        errands=errands,
        changes=Allowance(),
        entries=Attempts(ENTRIES, HOUR),
        zone=zone(options.time_zone),
        now=now,
    )
    try:
        with sampling(config, now=now), counting.counting(config, operators.tally, now=now):
            yield App(site).asgi()
    finally:
        errands.close()
        exports.close()
        doorkeeper.close()
        operators.doorkeeper.close()
        pool.close()


def _operators(config: Config, passwords: Passwords) -> Operators:
    options = config.options
    return Operators(
        Cookie("tamis-operator", options.prefix + OPERATORS, is_secure=options.is_secure),
        Doorkeeper(passwords, None),
        Board(),
        counting.made(config),
    )


def _pages(prefix: str) -> Pages:
    shown = [one.path for one in ROUTES if one.show is not None and one.path != "/"]
    return Pages(prefix, {one.name: one.path for one in ROUTES}, shown)


def _links(config: Config) -> Links:
    try:
        return Links.of(config.options.link)
    except ValueError as error:
        raise config.refused(("options", "link", "key_file"), str(error)) from None


def _mailboxes(config: Config) -> Mailboxes:
    try:
        return Mailboxes.of(config.options.imap)
    except ValueError as error:
        raise config.refused(("options", "imap", "ca_file"), str(error)) from None
