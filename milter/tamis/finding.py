"""Facts about one message: what the checks report and policy acts on."""

from __future__ import annotations

from enum import StrEnum

from tamis.values import dataclass


class Filter(StrEnum):
    """What a user can switch on and off."""

    ANTIVIRUS = "antivirus"
    ANTISPAM = "antispam"
    GRAYMAIL = "graymail"


class VirusStatus(StrEnum):
    """What the scanner said of a message."""

    CLEAN = "clean"
    INFECTED = "infected"
    UNSCANNABLE = "unscannable"  # the scanner answers, but not for this message: size, limits, encryption
    ERROR = "error"  # no scanner answered in time


class Graymail(StrEnum):
    """Classes of wanted mass mail."""

    NEWSLETTER = "newsletter"
    SOCIAL = "social"
    LIST = "list"
    NONE = "none"


class Unsubscribe(StrEnum):
    """The easiest way out that List-Unsubscribe offers (RFC 2369, RFC 8058)."""

    ONE_CLICK = "one-click"
    MAILTO = "mailto"
    HTTP = "http"
    NONE = "none"


class Authentication(StrEnum):
    """What is known of the From domain (RFC 7489 section 3.1: an aligned SPF or DKIM pass)."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Rule:
    """A fact that a check can find, in one sentence, and its evidence for spam in bits (log2 of odds)."""

    name: str
    about: str
    bits: float


@dataclass(frozen=True, slots=True)
class VirusFinding:
    """The antivirus filter's result; malware is the scanner's name for it."""

    status: VirusStatus
    malware: str | None = None

    @property
    def heuristic(self) -> bool:
        """Whether the name is one of clamd's guesses rather than known malware."""
        return self.malware is not None and self.malware.startswith(("Heuristics.", "PUA."))


@dataclass(frozen=True, slots=True)
class SpamFinding:
    """The antispam filter's result: evidence in bits, rounded to 0.1, strongest reason first."""

    score: float
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GraymailFinding:
    """The graymail filter's result; certain where header fields, not the model, decided."""

    graymail: Graymail
    confidence: float = 1.0  # 0 to 1
    certain: bool = False
    unsubscribe: Unsubscribe = Unsubscribe.NONE


@dataclass(frozen=True, slots=True)
class FailedCheck:
    """A filter that was to run and could not."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who the message says that it is from, for sender lists; addresses in their plain form and lower case.

    They are made plain once, and not for each of a thousand recipients.
    """

    from_address: str | None  # the one From address; None where there is none or more than one
    mail_from: str
    authentication: Authentication = Authentication.UNKNOWN


@dataclass(frozen=True, slots=True)
class Findings:
    """All facts about one message; None for a filter that did not run."""

    sender: Sender
    antivirus: VirusFinding | None = None
    antispam: SpamFinding | FailedCheck | None = None
    graymail: GraymailFinding | FailedCheck | None = None
