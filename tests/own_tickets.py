"""Tickets of mail that came to an account and that it sent, for tests."""

from __future__ import annotations

from tests.stores import NOON

from tamis.ticket import Action, Direction, Means, Outcome, OutgoingChecks, Ticket, new_id, timestamp

ANNA = "anna@example.org"


def outcome(
    antispam: str = "ham",
    action: Action = Action.DELIVER,
    *,
    account: str = ANNA,
    address: str = "",
    antivirus: str = "clean",
    malware: str | None = None,
    graymail: str = "none",
    score: float | None = -2.0,
    reasons: tuple[str, ...] = (),
) -> Outcome:
    """Return what became of a copy."""
    judged = antispam in ("ham", "spam")
    return Outcome(
        address or account,
        account,
        antivirus,
        antispam,
        graymail,
        action,
        malware=malware,
        score=score if judged else None,
        reasons=reasons if judged else None,
    )


def came(
    *outcomes: Outcome, sender: str = "bob@example.net", time: int = NOON, mode: str = "enforce"
) -> Ticket:
    """Return the ticket of a message that came to us."""
    return _ticket(outcomes or (outcome(),), sender=sender, time=time, mode=mode)


def spam(sender: str = "bob@example.net", *, score: float = 7.3, time: int = NOON) -> Ticket:
    """Return the ticket of a message that was marked as spam."""
    found = outcome("spam", Action.MARK, score=score, reasons=("LINK_TEXT_MISMATCH", "CONTENT_MODEL"))
    return came(found, sender=sender, time=time)


def sent(
    *addresses: str,
    own: Outcome | None = None,
    action: Action = Action.DELIVER,
    checks: OutgoingChecks | None = None,
    time: int = NOON,
) -> Ticket:
    """Return the ticket of a message that the account sent to strangers, and to itself."""
    outcomes = tuple(Outcome(one, None, "off", "off", "off", action) for one in addresses)
    outcomes += (own,) if own else ()
    checks = checks or OutgoingChecks("clean", "ham", "none", score=-1.0, reasons=())
    return _ticket(outcomes, sender=ANNA, time=time, outgoing=checks)


def _ticket(
    outcomes: tuple[Outcome, ...],
    *,
    sender: str,
    time: int,
    mode: str = "enforce",
    outgoing: OutgoingChecks | None = None,
) -> Ticket:
    return Ticket(
        id=new_id(time),
        time=timestamp(time),
        direction=Direction.OUTGOING if outgoing else Direction.INCOMING,
        mode=mode,
        message_id="<1@example.net>",
        queue_id="4XyzAB",
        sender=sender,
        sender_account=sender if outgoing else None,
        recipients=outcomes,
        means=Means.UNIFORM,
        outgoing=outgoing,
    )
