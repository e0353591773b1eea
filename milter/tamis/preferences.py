"""What an account wants done with its mail, and the names under which it says so."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Treatment(StrEnum):
    """What a user may ask for where a filter found something."""

    MARK = "mark"
    FILE = "file"
    NONE = "none"  # analysed and ticketed, no header field


@dataclass(frozen=True, slots=True)
class SenderLists:
    """Sender patterns of one level: user@domain, @domain, @*.domain; lower case."""

    allowed: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    newsletter: tuple[str, ...] = ()
    social: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Preferences:
    """The settings in force for one recipient, after site, domain and own settings and locks."""

    antivirus: bool = True
    antispam: bool = True
    graymail: bool = True
    learning: bool = False
    spam: Treatment = Treatment.MARK
    newsletter: Treatment = Treatment.MARK
    social: Treatment = Treatment.MARK
    list: Treatment = Treatment.MARK
    spam_mark: float = 5.0  # bits; a score at or above it is spam
    senders: tuple[SenderLists, ...] = ()  # user's, domain's, site's: the first level with a match decides


@dataclass(frozen=True, slots=True)
class Member:
    """One final recipient behind an address: an account or an address that Tamis does not know."""

    account: str | None  # the account's own address; None for unknown and outside addresses
    preferences: Preferences
    local: bool  # the address is in mail.domains, so that it may be filed and is treated as incoming
    address: str = ""  # the final address, lower case
    reached: str = ""  # the address that reaches him with others: of a group that has a mailbox of its own


@dataclass(frozen=True, slots=True)
class Resolution:
    """What an envelope recipient stands for: one member, or several for a group."""

    address: str  # as received
    members: tuple[Member, ...]


Value: TypeAlias = str | float | tuple[str, ...]
"""A setting as it is kept: a word ("on", "off", "mark", ...), bits, or sender patterns."""

SWITCHES = ("antivirus", "antispam", "graymail", "learning")
TREATMENTS = ("antispam.action", "graymail.newsletter", "graymail.social", "graymail.list")
THRESHOLD = "antispam.mark"
LISTS = ("senders.allowed", "senders.blocked", "senders.newsletter", "senders.social")
KEYS = (*SWITCHES, *TREATMENTS, THRESHOLD, *LISTS)

# Stands beside the KEYS of an account that is restricted: no filter runs, whatever is set and locked.
RESTRICTED = "restricted"
NO_FILTER: Mapping[str, Value] = dict.fromkeys(SWITCHES, "off")

# What each word of users.may_change lets users change.
LOCKS: Mapping[str, tuple[str, ...]] = {
    "antivirus": ("antivirus",),
    "antispam": ("antispam", "antispam.mark"),
    "graymail": ("graymail",),
    "actions": TREATMENTS,
    "senders": LISTS,
    "learning": ("learning",),
}
DEFAULTS: Mapping[str, Value] = {
    **dict.fromkeys(SWITCHES, "on"),
    "learning": "off",
    **dict.fromkeys(TREATMENTS, "mark"),
    THRESHOLD: 5.0,
}

MAX_THRESHOLD = 1000.0  # bits; as much as GTUBE has, which is always spam
MAX_PATTERNS = 2000  # in one list of one account
LONGEST_PATTERN = (
    320  # characters: a local part of 64 octets, "@", a domain of 255 (RFC 5321 section 4.5.3.1)
)
# Not in patterns: blanks, control characters, and those that turn the direction of text or are not seen.
UNFIT = r"\s\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff@,;<>\"()*"
LABELS = rf"[^{UNFIT}.]+(?:\.[^{UNFIT}.]+)+"
PATTERN = re.compile(rf"[^{UNFIT}]+@{LABELS}|@(?:\*\.)?{LABELS}")
SEPARATORS = re.compile(r"[\s,]+")


def parse(key: str, value: object) -> Value:
    """Return a setting's value from the command line's text or from TOML; raise ValueError."""
    if key in SWITCHES:
        return _switch(value)
    if key in TREATMENTS:
        if value in tuple(Treatment):
            return str(value)
        raise ValueError(f"expected mark, file or none, got {_shown(value)}")
    if key == THRESHOLD:
        return _bits(value)
    if key in LISTS:
        return _patterns(value)
    near = difflib.get_close_matches(key, KEYS, n=1, cutoff=0.5)
    raise ValueError(f'unknown setting "{key}"' + (f"; did you mean {near[0]}?" if near else ""))


def _shown(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def _switch(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if value in ("on", "off"):
        return str(value)
    raise ValueError(f"expected on or off, got {_shown(value)}")


def _bits(value: object) -> float:
    try:
        bits = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        bits = math.nan
    if not -MAX_THRESHOLD <= bits <= MAX_THRESHOLD:
        raise ValueError(f"expected bits such as 5.0, at most {MAX_THRESHOLD:g}, got {_shown(value)}")
    return round(bits, 1) + 0.0


def _patterns(value: object) -> tuple[str, ...]:
    given = SEPARATORS.split(value) if isinstance(value, str) else value
    if not isinstance(given, Sequence):
        raise ValueError(f"expected a list of senders, got {_shown(value)}")
    found: dict[str, None] = {}
    for one in given:
        if one == "":
            continue
        if not isinstance(one, str) or not is_pattern(one):
            raise ValueError(f"expected user@domain, @domain or @*.domain, got {_shown(one)}")
        found[one.lower()] = None
    if len(found) > MAX_PATTERNS:
        raise ValueError(f"expected at most {MAX_PATTERNS} senders, got {len(found)}")
    return tuple(found)


def is_pattern(text: str) -> bool:
    """Tell whether a text names senders: user@domain, @domain or @*.domain."""
    return len(text) <= LONGEST_PATTERN and PATTERN.fullmatch(text) is not None


def locked(may_change: Collection[str]) -> tuple[str, ...]:
    """Return the keys that users may not change, given the words of users.may_change."""
    free = {key for word in may_change for key in LOCKS[word]}
    return tuple(key for key in KEYS if key not in free)


def merge(levels: Sequence[Mapping[str, Value]]) -> Preferences:
    """Return what is in force, given the levels of settings: the user's, his domain's, the site's."""
    values = _first(levels)
    threshold = values[THRESHOLD]
    return Preferences(
        antivirus=values["antivirus"] == "on",
        antispam=values["antispam"] == "on",
        graymail=values["graymail"] == "on",
        learning=values["learning"] == "on",
        spam=Treatment(str(values["antispam.action"])),
        newsletter=Treatment(str(values["graymail.newsletter"])),
        social=Treatment(str(values["graymail.social"])),
        list=Treatment(str(values["graymail.list"])),
        spam_mark=threshold if isinstance(threshold, float) else 5.0,
        senders=tuple(_lists(level) for level in levels if any(key in level for key in LISTS)),
    )


def effective(levels: Sequence[Mapping[str, Value]]) -> dict[str, object]:
    """Return every key as applied, ready for JSON; sender lists of all levels together."""
    values = _first(levels)
    result: dict[str, object] = {key: values[key] for key in (*SWITCHES, *TREATMENTS, THRESHOLD)}
    for key in LISTS:
        result[key] = list(dict.fromkeys(one for level in levels for one in _pattern_list(level, key)))
    return result


def _first(levels: Sequence[Mapping[str, Value]]) -> dict[str, Value]:
    values = dict(DEFAULTS)
    for level in reversed(levels):
        values.update(level)
    return values


def _pattern_list(level: Mapping[str, Value], key: str) -> tuple[str, ...]:
    value = level.get(key, ())
    return value if isinstance(value, tuple) else ()


def _lists(level: Mapping[str, Value]) -> SenderLists:
    return SenderLists(*(_pattern_list(level, key) for key in LISTS))
