"""What the mails to users are made of; `english` and `french` hold the words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What users are told."""

    CHANGED = "changed"  # somebody else has changed their settings
    PASSWORD = "password"  # noqa: S105  # they have changed it, or somebody who knew it has
    CLOSED = "closed"
    ERASED = "erased"
    INACTIVE = "inactive"  # nobody signs in, and data is about to go for it


@dataclass(frozen=True, slots=True)
class Words:
    """A language: for each kind a subject and a text, in which {names} stand for what is told."""

    subjects: Mapping[Kind, str]
    texts: Mapping[Kind, str]
    nothing: str  # for a setting that was not set, or is no more
    gone: str  # where nothing stays after an erasure
    stays: str  # above what does
    until: str  # a class of records, and its end
