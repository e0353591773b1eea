"""Frozen dataclasses that take Python no longer to make than others, for what each message makes dozens of.

A frozen one sets its fields by a call for each, which takes three times as long. These are frozen for mypy
alone.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(*, frozen: bool = False, slots: bool = False):
        """Return the decorator of that name, less the guard against changes."""
        return dataclasses.dataclass(slots=slots, unsafe_hash=frozen)
