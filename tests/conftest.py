"""The fixtures that all tests may use; each is defined beside what it starts."""

from __future__ import annotations

from tests.servers.clamd import clamd as clamd
from tests.servers.milter import start_milter as start_milter
from tests.servers.sites import lenient_site as lenient_site
from tests.servers.sites import network_site as network_site
from tests.servers.sites import postfix as postfix
from tests.servers.sites import shadow_site as shadow_site
from tests.servers.sites import site as site
from tests.servers.sites import strict_site as strict_site
from tests.servers.sites import unscanned_site as unscanned_site
