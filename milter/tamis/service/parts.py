"""Makes the parts of a process from the configuration and hands them to each other."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tamis.checks.antispam import Antispam
from tamis.checks.antivirus import Antivirus
from tamis.checks.graymail import Graymail
from tamis.config import Config
from tamis.learning.model import load
from tamis.scan import Scanner
from tamis.store.thread import Store


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters that compute; loaded once, and shared by the workers that are forked after."""

    antispam: Antispam
    graymail: Graymail


def filters(config: Config) -> Filters:
    """Load the models; raise ValueError for a weight of an unknown rule."""
    return Filters(Antispam(load("antispam"), config.antispam.weights), Graymail(load("graymail")))


def scanner(config: Config, loaded: Filters) -> Scanner:
    """Return the filters of one process, to be used on one event loop."""
    return Scanner(
        config,
        antivirus=Antivirus(config.antivirus.clamd, config.antivirus.timeout, config.milter.max_message),
        antispam=loaded.antispam,
        graymail=loaded.graymail,
        executor=ThreadPoolExecutor(max_workers=1, thread_name_prefix="big"),
    )


def store(config: Config, loop: asyncio.AbstractEventLoop) -> Store:
    """Return the store of one process; start() it on use and close() it at the end."""
    raise NotImplementedError
