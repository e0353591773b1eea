"""What policy decides for one recipient, and the plan that carries it out in one milter transaction."""

from __future__ import annotations

from tamis.finding import Filter
from tamis.message import Recipient
from tamis.ticket import Action, Means, Outcome, OutgoingChecks
from tamis.values import dataclass


@dataclass(frozen=True, slots=True)
class Field:
    """A header field to add, and the filter whose switch governs it."""

    name: str
    value: str
    filter: Filter


@dataclass(frozen=True, slots=True)
class Decision:
    """What one final recipient is due, as if he were the only one."""

    recipient: Recipient  # as received
    account: str | None
    local: bool
    action: Action
    antivirus: str
    antispam: str
    graymail: str
    fields: tuple[Field, ...] = ()  # what his copy carries if it is delivered
    folder: str | None = None  # the detail that his copy is filed under if it is filed
    refused_for: Filter | None = None  # the filter that refuses, where action is refuse
    address: str = ""  # where his mail goes if his group is expanded: his own name, if it reaches him alone
    malware: str | None = None
    score: float | None = None
    reasons: tuple[str, ...] | None = None

    def outcome(self) -> Outcome:
        """Return the ticket's entry for this recipient."""
        return Outcome(
            address=self.recipient.address,
            account=self.account,
            antivirus=self.antivirus,
            antispam=self.antispam,
            graymail=self.graymail,
            action=self.action,
            malware=self.malware,
            score=self.score,
            reasons=self.reasons,
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply with its enhanced status code (RFC 5321 section 4.2, RFC 3463)."""

    code: str
    status: str
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.status} {self.text}"


@dataclass(frozen=True, slots=True)
class Copy:
    """The message once more, for recipients whose fields are not those of the transaction.

    Its fields stand on top; what the plan removes from the message is removed from the copy, too.
    """

    recipients: tuple[Recipient, ...]  # with their DSN parameters; no address is in a plan twice
    fields: tuple[tuple[str, str], ...] = ()
    decisions: tuple[tuple[int, ...], ...] = ()  # for each recipient, the plan's decisions that he stands for


@dataclass(frozen=True, slots=True)
class Plan:
    """The one answer to the MTA, and the copies that go beside it; reply None accepts."""

    decisions: tuple[Decision, ...]
    means: Means
    reply: Reply | None = None
    fields: tuple[tuple[str, str], ...] = ()  # in the order in which they shall stand on top
    remove_recipients: tuple[str, ...] = ()
    add_recipients: tuple[Recipient, ...] = ()
    remove_fields: tuple[tuple[str, int], ...] = ()  # name, 1-based occurrence; last first
    outgoing: OutgoingChecks | None = None
    copies: tuple[Copy, ...] = ()  # to be handed over before the answer
    delivered: frozenset[int] = frozenset()  # decisions that copies have carried out by now
