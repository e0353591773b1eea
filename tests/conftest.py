"""The fixtures that all tests may use; each is defined beside what it starts."""

from __future__ import annotations

from statistics import median

import pytest
from hypothesis import settings
from tests.commands import tamis as tamis
from tests.servers.chromium import chromium as chromium
from tests.servers.chromium import page as page
from tests.servers.clamd import clamd as clamd
from tests.servers.milter import start_milter as start_milter
from tests.servers.options import start_options as start_options
from tests.servers.postgresql import postgresql as postgresql
from tests.servers.provider import WAITS
from tests.servers.provider import provider as provider
from tests.servers.sites import deferring_site as deferring_site
from tests.servers.sites import lenient_site as lenient_site
from tests.servers.sites import looped_site as looped_site
from tests.servers.sites import network_site as network_site
from tests.servers.sites import postfix as postfix
from tests.servers.sites import postfix_site as postfix_site
from tests.servers.sites import postfix_split_site as postfix_split_site
from tests.servers.sites import sendmail_site as sendmail_site
from tests.servers.sites import shadow_site as shadow_site
from tests.servers.sites import site as site
from tests.servers.sites import sites as sites
from tests.servers.sites import split_site as split_site
from tests.servers.sites import strict_site as strict_site
from tests.servers.sites import unscanned_site as unscanned_site
from tests.stores import either as either
from tests.stores import either_empty as either_empty
from tests.stores import hasty as hasty
from tests.stores import with_tables as with_tables
from tests.web import web as web

# The same examples each time, so that a change alone can make a test fail; "many" is for `make fuzz`.
settings.register_profile("same", derandomize=True, deadline=None, database=None)
settings.register_profile("many", max_examples=5_000, deadline=None)
settings.load_profile("same")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell how soon changes on the web page counted, which no test asserts: machines may be busy."""
    waits = terminalreporter.config.stash.get(WAITS, [])
    if waits:
        terminalreporter.write_line(
            f"{len(waits)} changes on the web page counted for messages that began "
            f"{max(waits):.3f} s later at most ({median(waits):.3f} s in the median)"
        )
