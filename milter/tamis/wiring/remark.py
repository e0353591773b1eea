"""What can be said of one part of a set-up."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How a part is."""

    OK = "ok"
    WARNING = "warning"  # unwise, or cannot be known
    FAILED = "failed"  # mail would be lost, wait for ever or pass unfiltered


@dataclass(frozen=True, slots=True)
class Remark:
    """A sentence, and how bad it is."""

    status: Status
    text: str


def ok(text: str) -> Remark:
    """Return what is right."""
    return Remark(Status.OK, text)


def warning(text: str) -> Remark:
    """Return what is unwise, or cannot be known."""
    return Remark(Status.WARNING, text)


def failed(text: str) -> Remark:
    """Return what must be changed."""
    return Remark(Status.FAILED, text)
