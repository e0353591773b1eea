"""Messages, members and findings as the tests of the pure parts need them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tamis import config as configuration
from tamis.config import Config
from tamis.finding import (
    Authentication,
    FailedCheck,
    Findings,
    Graymail,
    GraymailFinding,
    Sender,
    SpamFinding,
    Unsubscribe,
    VirusFinding,
    VirusStatus,
)
from tamis.message import Envelope, Message, Recipient
from tamis.preferences import Member, Preferences, Resolution

MINIMAL = '[mail]\ndomains = ["example.org"]\n'

CLEAN = VirusFinding(VirusStatus.CLEAN)
INFECTED = VirusFinding(VirusStatus.INFECTED, "Eicar-Test-Signature")
GUESSED = VirusFinding(VirusStatus.INFECTED, "Heuristics.Phishing.Email")
UNSCANNABLE = VirusFinding(VirusStatus.UNSCANNABLE)
SCANNER_AWAY = VirusFinding(VirusStatus.ERROR)
HAM = SpamFinding(-2.5, ("PLAIN_TEXT",))
SPAM = SpamFinding(7.3, ("LINK_TEXT_MISMATCH",))
NO_GRAYMAIL = GraymailFinding(Graymail.NONE)
NEWSLETTER = GraymailFinding(Graymail.NEWSLETTER, 0.97, certain=True, unsubscribe=Unsubscribe.ONE_CLICK)
LIST = GraymailFinding(Graymail.LIST, 1.0, certain=True, unsubscribe=Unsubscribe.MAILTO)

FRIEND = Sender("friend@example.net", "bounce@lists.example.net")


def config(**settings: object) -> Config:
    """Return the default configuration of example.org, changed by section__key=value."""
    sections: dict[str, dict[str, object]] = {"mail": {"domains": ["example.org"]}}
    for name, value in settings.items():
        section, _, key = name.partition("__")
        sections.setdefault(section, {})[key] = value
    return Config.model_validate(sections)


def parsed(text: str) -> Config:
    """Return the configuration in a TOML text about example.org."""
    return configuration.parse(MINIMAL + text, "tamis.toml")


def findings(
    *,
    antivirus: VirusFinding | None = CLEAN,
    antispam: SpamFinding | FailedCheck | None = HAM,
    graymail: GraymailFinding | FailedCheck | None = NO_GRAYMAIL,
    sender: Sender = FRIEND,
) -> Findings:
    """Return the facts of a clean personal letter, changed as given."""
    return Findings(sender, antivirus, antispam, graymail)


def authenticated(outcome: Authentication) -> Sender:
    """Return the friend, of whose From domain something is known."""
    return replace(FRIEND, authentication=outcome)


def member(address: str = "bob@example.org", wishes: Preferences = Preferences()) -> Member:  # noqa: B008 - frozen
    """Return an account of example.org, or a stranger elsewhere."""
    local = address.endswith("@example.org")
    return Member(address if local else None, wishes, local, address)


def resolution(address: str = "bob@example.org", wishes: Preferences = Preferences()) -> Resolution:  # noqa: B008
    """Return what an address stands for that is an account's own."""
    return Resolution(address, (member(address, wishes),))


def envelope(*recipients: str, mail_from: str = "anna@example.net", auth_user: str | None = None) -> Envelope:
    """Return the envelope of a message from outside to some recipients."""
    return Envelope(
        mail_from=mail_from,
        recipients=tuple(Recipient(one) for one in recipients or ("bob@example.org",)),
        client_ip="192.0.2.25",
        client_name="mx.example.net",
        helo="mx.example.net",
        queue_id="4Xy7",
        auth_user=auth_user,
        mta_name="mx.example.org",
    )


def message(
    body: bytes = b"Hello Bob,\r\n\r\nsee you tomorrow.\r\n",
    *recipients: str,
    headers: Mapping[str, str] | None = None,
    around: Envelope | None = None,
) -> Message:
    """Return a letter from Anna to Bob with further header fields."""
    given = {
        "From": "Anna <anna@example.net>",
        "To": "bob@example.org",
        "Subject": "Tomorrow",
        "Message-ID": "<1@example.net>",
    }
    fields = tuple(
        (name.encode(), b" " + value.encode()) for name, value in (given | dict(headers or {})).items()
    )
    return Message(around or envelope(*recipients), fields, body)
