"""The fixtures that all tests may use; each is defined beside what it starts."""

from __future__ import annotations

from tests.servers.clamd import clamd as clamd
