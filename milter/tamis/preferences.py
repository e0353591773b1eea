"""What an account wants done with its mail, and the names under which it says so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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


@dataclass(frozen=True, slots=True)
class Resolution:
    """What an envelope recipient stands for: one member, or several for a group."""

    address: str  # as received
    members: tuple[Member, ...]
