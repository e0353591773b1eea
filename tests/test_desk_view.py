"""What a person sees of a ticket."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from tamis.desk.view import view
from tamis.ticket import Action, Direction, Means, Outcome, OutgoingChecks, Ticket, new_id, timestamp

NOON = 1_795_435_200_000  # 2026-11-23T12:00:00Z
NAMES = ("anna", "bob", "carol", "dora", "emil", "fritz")
ACCOUNTS = [f"{name}@example.org" for name in NAMES]


@st.composite
def outcomes(draw: st.DrawFn, account: str) -> Outcome:
    """Return what became of an account's mail, by one of the addresses that lead to it."""
    detail = draw(st.sampled_from(["", "+x", "+lists"]))
    spam = draw(st.booleans())
    return Outcome(
        account.replace("@", f"{detail}@"),
        draw(st.sampled_from([account, account, None])),
        draw(st.sampled_from(["clean", "infected", "off"])),
        "spam" if spam else "off",
        "none",
        draw(st.sampled_from(list(Action))),
        score=7.3 if spam else None,
        reasons=("SUBJECT_ALL_CAPS",) if spam else None,
    )


@st.composite
def tickets(draw: st.DrawFn) -> Ticket:
    """Return a ticket from a stranger or one of us to some of us."""
    recipients = draw(st.lists(st.sampled_from(ACCOUNTS[1:]).flatmap(outcomes), min_size=1, max_size=6))
    sender = draw(st.sampled_from([None, ACCOUNTS[0]]))
    return Ticket(
        id=new_id(NOON),
        time=timestamp(NOON),
        direction=Direction.OUTGOING if sender else Direction.INCOMING,
        mode="enforce",
        message_id="<1@example.net>",
        queue_id=None,
        sender=sender or "stranger@example.net",
        sender_account=sender,
        recipients=tuple(recipients),
        means=draw(st.sampled_from(list(Means))),
        outgoing=OutgoingChecks("clean", "ham", "none", score=-1.0, reasons=()) if sender else None,
    )


@given(tickets(), st.sampled_from(ACCOUNTS[1:]))
def test_recipient_finds_no_other_recipient_anywhere(ticket: Ticket, account: str) -> None:
    seen = json.dumps(view(ticket.as_json(), account))

    name = account.partition("@")[0]
    assert not [other for other in NAMES[1:] if other != name and other in seen]


@given(tickets(), st.sampled_from(ACCOUNTS[1:]))
def test_recipient_sees_all_that_became_of_his_own_mail(ticket: Ticket, account: str) -> None:
    seen = view(ticket.as_json(), account)

    own = [one.as_json() for one in ticket.recipients if one.account == account]
    assert (seen["recipients"], seen["sender"]) == (own, ticket.sender)


@given(tickets(), st.sampled_from(ACCOUNTS))
def test_nobody_sees_the_means(ticket: Ticket, account: str) -> None:
    assert "means" not in view(ticket.as_json(), account)


@given(tickets().filter(lambda ticket: ticket.sender_account is not None))
def test_sender_sees_whom_he_wrote_to_and_nothing_else_of_them(ticket: Ticket) -> None:
    seen = view(ticket.as_json(), ACCOUNTS[0])

    named = dict.fromkeys(one.address for one in ticket.recipients)
    assert seen["recipients"] == [{"address": address} for address in named]
    assert seen["sender_account"] == ACCOUNTS[0] and "outgoing" in seen


@given(tickets(), st.sampled_from(ACCOUNTS[1:]))
def test_recipient_does_not_see_what_the_senders_checks_found(ticket: Ticket, account: str) -> None:
    seen = view(ticket.as_json(), account)

    assert "outgoing" not in seen and seen["sender_account"] is None


ANNA, BOB = (Outcome(one, one, "clean", "off", "none", Action.DELIVER) for one in ACCOUNTS[:2])
TO_BOTH = Ticket(  # from Anna
    id=new_id(NOON),
    time=timestamp(NOON),
    direction=Direction.OUTGOING,
    mode="enforce",
    message_id=None,
    queue_id=None,
    sender=ACCOUNTS[0],
    sender_account=ACCOUNTS[0],
    recipients=(ANNA, BOB),
    means=Means.SPLIT,
)


def test_who_writes_to_himself_sees_both_sides() -> None:
    seen = view(TO_BOTH.as_json(), ACCOUNTS[0])

    assert seen["recipients"] == [ANNA.as_json(), {"address": ACCOUNTS[1]}]


def test_local_recipient_does_not_see_where_the_sender_was() -> None:
    fields = {"client_address": "192.0.2.7", "subject": "Hello", "size": 10}
    ticket = TO_BOTH.as_json() | fields

    sender, recipient = (view(ticket, one) for one in ACCOUNTS[:2])
    from_outside = view(ticket | {"direction": "incoming"}, ACCOUNTS[1])

    assert fields.items() <= sender.items() and fields.items() <= from_outside.items()
    assert "client_address" not in recipient and recipient["subject"] == "Hello"
