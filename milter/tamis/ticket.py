"""The ticket of one message: metadata only, the keys below and no others but those that are named."""

from __future__ import annotations

import os
import re
import time
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache

from tamis.retention.fields import Field
from tamis.values import dataclass

LATEST = (1 << 48) - 1  # milliseconds; in the year 10889
DAY = 86_400_000  # milliseconds
# RFC 3339 section 5.6; a blank for the "T" is allowed there.
DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)")
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32, as ULIDs use it
PAIRS = tuple(first + second for first in ALPHABET for second in ALPHABET)
DIGITS = str.maketrans(ALPHABET, "0123456789abcdefghijklmnopqrstuv")  # those that int() takes


class Direction(StrEnum):
    """Which way a message goes."""

    INCOMING = "incoming"
    OUTGOING = "outgoing"


class Action(StrEnum):
    """What the MTA was told to do for a recipient."""

    DELIVER = "deliver"
    MARK = "mark"
    FILE = "file"
    REFUSE = "refuse"
    DISCARD = "discard"
    TEMPFAIL = "tempfail"


class Means(StrEnum):
    """How recipients who want different things got them."""

    UNIFORM = "uniform"
    DETAIL = "detail"
    SPLIT = "split"
    COMMON = "common"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found and done for one final recipient."""

    address: str
    account: str | None
    antivirus: str  # clean, infected, error, off
    antispam: str  # ham, spam, error, off
    graymail: str  # newsletter, social, list, none, error, off
    action: Action
    malware: str | None = None
    score: float | None = None
    reasons: tuple[str, ...] | None = None  # None where antispam is off

    def as_json(self) -> dict[str, object]:
        """Return the object that stands under "recipients"."""
        result: dict[str, object] = {
            "address": self.address,
            "account": self.account,
            "antivirus": self.antivirus,
            "antispam": self.antispam,
        }
        if self.score is not None:
            result["score"] = self.score
        result["graymail"] = self.graymail
        result["action"] = self.action
        if self.reasons is not None:
            result["reasons"] = list(self.reasons)
        if self.malware is not None:
            result["malware"] = self.malware
        return result


@dataclass(frozen=True, slots=True)
class OutgoingChecks:
    """What the operator's checks of an outgoing message found."""

    antivirus: str
    antispam: str
    graymail: str
    score: float | None = None
    reasons: tuple[str, ...] | None = None
    malware: str | None = None

    def as_json(self) -> dict[str, object]:
        """Return the object that stands under "outgoing"."""
        result: dict[str, object] = {
            "antivirus": self.antivirus,
            "antispam": self.antispam,
            "graymail": self.graymail,
        }
        if self.score is not None:
            result["score"] = self.score
        if self.reasons is not None:
            result["reasons"] = list(self.reasons)
        if self.malware is not None:
            result["malware"] = self.malware
        return result


@dataclass(frozen=True, slots=True)
class Ticket:
    """One answered end of message."""

    id: str
    time: str  # RFC 3339, UTC, milliseconds
    direction: Direction
    mode: str  # enforce, shadow
    message_id: str | None
    queue_id: str | None
    sender: str  # "" for the null sender
    sender_account: str | None
    recipients: tuple[Outcome, ...]
    means: Means
    outgoing: OutgoingChecks | None = None
    more: tuple[tuple[Field, str | int | None], ...] = ()  # what tickets.fields names

    def as_json(self) -> dict[str, object]:
        """Return the whole ticket as a JSON object, keys in their documented order."""
        result: dict[str, object] = {
            "id": self.id,
            "time": self.time,
            "direction": self.direction,
            "mode": self.mode,
            "message_id": self.message_id,
            "queue_id": self.queue_id,
            "sender": self.sender,
            "sender_account": self.sender_account,
            "recipients": [outcome.as_json() for outcome in self.recipients],
            "means": self.means,
        }
        if self.outgoing is not None:
            result["outgoing"] = self.outgoing.as_json()
        for field, value in self.more:
            result[field.value] = value
        return result

    def accounts(self) -> frozenset[str]:
        """Return the accounts that this ticket is about."""
        found = {outcome.account for outcome in self.recipients if outcome.account is not None}
        if self.sender_account is not None:
            found.add(self.sender_account)
        return frozenset(found)


def new_id(milliseconds: int | None = None) -> str:
    """Return a new ULID: 48 bits of Unix time in milliseconds, 80 random bits, 26 characters."""
    now = time.time_ns() // 1_000_000 if milliseconds is None else milliseconds
    return _ulid(now, int.from_bytes(os.urandom(10)))


def first_id(milliseconds: int) -> str:
    """Return the lowest ID of a Unix time in milliseconds; times outside what ULIDs can tell are its ends."""
    return _ulid(min(max(milliseconds, 0), LATEST), 0)


def day_of(ticket_id: str) -> int:
    """Return the day of an ID, in days since 1970-01-01; raise ValueError where it is none."""
    return time_of(ticket_id) // DAY


def time_of(some_id: str) -> int:
    """Return the Unix time in milliseconds that an ID tells; raise ValueError where it is none."""
    return int(some_id[:10].translate(DIGITS), 32)


@lru_cache(maxsize=8)
def first_id_of(day: int) -> str:
    """Return the lowest ID of a day, in days since 1970-01-01."""
    return first_id(day * DAY)


def _ulid(milliseconds: int, random: int) -> str:
    value = milliseconds << 80 | random
    return "".join([PAIRS[value >> shift & 1023] for shift in range(120, -1, -10)])


def timestamp(milliseconds: int) -> str:
    """Return a Unix time in milliseconds as RFC 3339 in UTC."""
    whole, rest = divmod(milliseconds, 1000)
    return f"{_second(whole)}.{rest:03d}Z"


@lru_cache(maxsize=8)
def _second(whole: int) -> str:
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}"
