"""What calls take and answer, which the description is made of."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, create_model

from tamis.desk.corrections import Meaning, Reach
from tamis.desk.own_mail import Kind
from tamis.preferences import (
    KEYS,
    LISTS,
    LONGEST_PATTERN,
    MAX_PATTERNS,
    MAX_THRESHOLD,
    PATTERN,
    SWITCHES,
    THRESHOLD,
    TREATMENTS,
    Treatment,
)
from tamis.ticket import DATE_TIME

ID = "[0-7][0-9A-HJKMNP-TV-Z]{25}"  # a ULID
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, description="RFC 3339, in UTC")]
Pattern = Annotated[
    str,
    Field(
        pattern=f"^(?:{PATTERN.pattern})$",
        max_length=LONGEST_PATTERN,
        description="user@domain, @domain or @*.domain",
    ),
]
Patterns = Annotated[list[Pattern], Field(max_length=MAX_PATTERNS)]


def _date_time(text: str) -> datetime:
    if not DATE_TIME.fullmatch(text):  # a number would be a time, too
        raise ValueError("expected RFC 3339 such as 2026-11-23T09:14:05Z")
    return datetime.fromisoformat(text.upper())


Moment = Annotated[AwareDatetime, BeforeValidator(_date_time)]
Cursor = Annotated[str, Field(pattern=f"^(?:{ID}|)$", description="The ID of a record")]


class Sent(BaseModel):
    """What a program sends: nothing but what is known."""

    model_config = ConfigDict(extra="forbid", strict=True)


def _kind(key: str, patterns: Any) -> Any:
    if key in SWITCHES:
        return Literal["on", "off"]
    if key in TREATMENTS:
        return Treatment
    if key == THRESHOLD:
        return Annotated[float, Field(ge=-MAX_THRESHOLD, le=MAX_THRESHOLD, description="bits")]
    return patterns


def _settings(name: str, base: type[BaseModel], patterns: Any, *, are_all: bool) -> Any:
    """Return the model of all settings, each under its own name, or of some of them."""
    default = ... if are_all else None
    fields: Any = {
        key.replace(".", "_"): (Annotated[_kind(key, patterns), Field(alias=key)], default) for key in KEYS
    }
    return create_model(name, __base__=base, __doc__=base.__doc__, **fields)


class _Applied(BaseModel):
    """Every setting, as it is applied: what the account, its domain and the site say, together."""


class _Own(BaseModel):
    """What the account has set itself."""


class _Wanted(Sent):
    """New values of some settings. What is not named stays."""


Applied = _settings("Applied", _Applied, list[str], are_all=True)
Own = _settings("Own", _Own, list[str], are_all=False)
Wanted = _settings("Wanted", _Wanted, Patterns, are_all=False)


class Account(BaseModel):
    """An account's settings, as `tamis account show --json` prints them."""

    address: str
    status: Literal["none", "active", "restricted", "closed", "erased"]
    settings: Applied  # type: ignore[valid-type]  # made above
    own: Own  # type: ignore[valid-type]
    locked: Annotated[list[str], Field(description="Keys that the provider alone may change")]


class Senders(BaseModel):
    """One list of senders."""

    own: Annotated[list[str], Field(description="The account's own entries")]
    others: Annotated[list[str], Field(description="What the provider has put on it for all")]


class SenderLists(BaseModel):
    """All lists of senders."""

    allowed: Senders
    blocked: Senders
    newsletter: Senders
    social: Senders


class Edit(Sent):
    """What is to be added to a list, and taken out of it."""

    add: Patterns = []
    remove: Annotated[list[str], Field(max_length=MAX_PATTERNS)] = []


class Extent(BaseModel):
    """Records of a class."""

    model_config = ConfigDict(populate_by_name=True)

    kind: Annotated[str, Field(alias="class")]
    count: int
    oldest: Time
    newest: Time


class Report(BaseModel):
    """Which records about the account are kept."""

    address: str
    status: str
    kept: bool
    records: list[Extent]


class Outcome(BaseModel):
    """What became of one recipient's copy; of others whom the account wrote to, only the address."""

    address: str
    account: str | None = None
    antivirus: str = ""
    malware: str = ""
    antispam: str = ""
    score: float = 0.0
    graymail: str = ""
    action: str = ""
    reasons: list[str] = []


class Checks(BaseModel):
    """What the provider's checks of an outgoing message found."""

    antivirus: str
    malware: str = ""
    antispam: str
    score: float = 0.0
    graymail: str
    reasons: list[str] = []


class Ticket(BaseModel):
    """What became of one message (docs/store.md); what was not looked at is not there."""

    id: str
    time: Time
    direction: str
    mode: str
    message_id: str | None
    queue_id: str | None
    sender: Annotated[str, Field(description='That of the envelope; "" for a bounce')]
    subject: str | None = None
    client_address: str | None = None
    size: int | None = None
    sender_account: str | None
    recipients: list[Outcome]
    outgoing: Checks | None = None


class Tickets(BaseModel):
    """Some tickets, newest first."""

    tickets: list[Ticket]
    older: Annotated[str | None, Field(description="Ask with it as before for those that follow")]
    newer: Annotated[str | None, Field(description="Ask with it as after for those that precede")]


class Search(Sent):
    """Which tickets are asked for; without anything the newest."""

    since: Annotated[Moment | None, Field(description="Inclusive, RFC 3339")] = None
    until: Annotated[Moment | None, Field(description="Exclusive, RFC 3339")] = None
    sender: Annotated[str, Field(max_length=254, description="What the sender's address holds")] = ""
    kind: Kind | None = None
    before: Cursor = ""
    after: Cursor = ""


class Correction(Sent):
    """What a user says of a message, and for which senders."""

    meaning: Meaning
    reach: Reach


class SignIn(BaseModel):
    """A sign-in to the account."""

    id: str
    time: Time
    kind: str
    address: Annotated[str | None, Field(description="The client's")]


class SignIns(BaseModel):
    """Some sign-ins, newest first."""

    sign_ins: list[SignIn]
    older: Annotated[str | None, Field(description="Ask with it as before for those that follow")]


class Deleted(BaseModel):
    """What became of records that were to be deleted."""

    deleted: int
    kept: Annotated[int, Field(description="Have to stay on record for now")]


class Change(BaseModel):
    """A change of a setting, or of what else is set about the account."""

    id: str
    time: Time
    actor: str
    key: str
    old: Any
    new: Any


class Changes(BaseModel):
    """Some changes, newest first."""

    changes: list[Change]
    older: Annotated[str | None, Field(description="Ask with it as before for those that follow")]


class Before(Sent):
    """Where to go on."""

    before: Cursor = ""


class Confirmation(Sent):
    """That it is meant: the account's own address."""

    address: Annotated[str, Field(max_length=254)]


class Erasing(BaseModel):
    """That an erasure has begun."""

    address: str
    status: str


class Speaking(Sent):
    """In which language."""

    language: Annotated[str, Field(max_length=20, description="en, fr; the best there is for others")] = ""


class Notice(BaseModel):
    """The privacy notice."""

    language: str
    text: Annotated[str, Field(description="Markdown")]


LIST_NAMES = tuple(key.rpartition(".")[2] for key in LISTS)
