"""The parts of the web page, handed in once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo

from tamis.config import Config
from tamis.desk.domains import Tally
from tamis.options.allowance import Allowance
from tamis.options.attempts import Attempts
from tamis.options.cookie import Cookie
from tamis.options.doorkeeper import Doorkeeper
from tamis.options.errands import Errands
from tamis.options.exports import Exports
from tamis.options.keys import Keys
from tamis.options.links import Links
from tamis.options.notice import Notice
from tamis.options.operators.board import Board
from tamis.options.pages import Pages
from tamis.options.pool import Pool


@dataclass(frozen=True, slots=True)
class Operators:
    """What lets operators in, and users not, and what they see."""

    cookie: Cookie
    doorkeeper: Doorkeeper
    board: Board
    tally: Tally


@dataclass(frozen=True, slots=True)
class Site:
    """One running web page."""

    config: Config
    pool: Pool
    keys: Keys
    cookie: Cookie
    doorkeeper: Doorkeeper
    links: Links | None
    operators: Operators
    pages: Pages
    notice: Notice
    exports: Exports
    errands: Errands
    changes: Allowance  # of accounts by their users
    entries: Attempts  # that succeeded
    zone: tzinfo
    now: Callable[[], int]  # Unix ms
