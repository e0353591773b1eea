"""Tickets hold the keys that are promised, and no others."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from tamis import ticket as module
from tamis.ticket import Action, Direction, Means, Outcome, OutgoingChecks, Ticket

RECIPIENT = {
    "address",
    "account",
    "antivirus",
    "antispam",
    "score",
    "graymail",
    "action",
    "reasons",
    "malware",
}
OUTGOING = {"antivirus", "antispam", "graymail", "score", "reasons", "malware"}
WHOLE = {
    "id",
    "time",
    "direction",
    "mode",
    "message_id",
    "queue_id",
    "sender",
    "sender_account",
    "recipients",
    "means",
    "outgoing",
}
# With every attribute set.
OUTCOME = Outcome(
    "bob+x@example.org",
    "bob@example.org",
    "infected",
    "spam",
    "none",
    Action.FILE,
    malware="Eicar-Test-Signature",
    score=7.3,
    reasons=("LINK_TEXT_MISMATCH",),
)
CHECKS = OutgoingChecks("infected", "ham", "none", -1.0, (), "Eicar-Test-Signature")


def ticket(outcome: Outcome = OUTCOME, outgoing: OutgoingChecks | None = None) -> Ticket:
    return Ticket(
        id="01J0",
        time="2026-11-23T09:14:05.120Z",
        direction=Direction.OUTGOING if outgoing else Direction.INCOMING,
        mode="enforce",
        message_id="<1@example.net>",
        queue_id="4Xy7",
        sender="anna@example.net",
        sender_account=None,
        recipients=(outcome,),
        means=Means.UNIFORM,
        outgoing=outgoing,
    )


def test_a_ticket_has_the_promised_keys_and_no_others() -> None:
    found = ticket(outgoing=CHECKS).as_json()

    assert set(found) == WHOLE
    assert set(OUTCOME.as_json()) == RECIPIENT
    assert set(CHECKS.as_json()) == OUTGOING


def test_a_ticket_reads_as_documented() -> None:
    assert ticket(
        Outcome("bob@example.org", "bob@example.org", "clean", "ham", "none", Action.DELIVER)
    ).as_json() == {
        "id": "01J0",
        "time": "2026-11-23T09:14:05.120Z",
        "direction": "incoming",
        "mode": "enforce",
        "message_id": "<1@example.net>",
        "queue_id": "4Xy7",
        "sender": "anna@example.net",
        "sender_account": None,
        "recipients": [
            {
                "address": "bob@example.org",
                "account": "bob@example.org",
                "antivirus": "clean",
                "antispam": "ham",
                "graymail": "none",
                "action": "deliver",
            }
        ],
        "means": "uniform",
    }


def test_no_reasons_are_an_empty_list_where_antispam_is_on() -> None:
    outcome = Outcome("b@example.org", None, "clean", "ham", "none", Action.DELIVER, score=0.0, reasons=())

    found = outcome.as_json()

    assert (found["score"], found["reasons"]) == (0.0, [])


def test_a_ticket_is_about_its_recipients_and_its_sender() -> None:
    one = ticket()

    assert one.accounts() == {"bob@example.org"}


@given(st.integers(0, 2**48 - 2))
def test_ids_are_ulids_in_the_order_of_time(milliseconds: int) -> None:
    earlier, later = module.new_id(milliseconds), module.new_id(milliseconds + 1)

    assert re.fullmatch("[0-7][0-9A-HJKMNP-TV-Z]{25}", earlier)
    assert earlier < later


def test_ids_of_one_millisecond_differ() -> None:
    assert len({module.new_id(1) for _ in range(1000)}) == 1000


def test_times_are_rfc_3339_in_utc() -> None:
    assert module.timestamp(1_795_425_245_120) == "2026-11-23T09:14:05.120Z"
    assert module.timestamp(0) == "1970-01-01T00:00:00.000Z"


@given(st.integers(0, 2**48 - 1))
def test_first_id_is_below_all_ids_of_its_time_and_above_those_before(milliseconds: int) -> None:
    first = module.first_id(milliseconds)

    assert first <= module.new_id(milliseconds)
    assert milliseconds == 0 or module.new_id(milliseconds - 1) < first


def test_first_id_of_a_time_that_no_id_can_have_is_the_nearest() -> None:
    assert module.first_id(-1) == "0" * 26
    assert module.first_id(2**60) == module.first_id(2**48 - 1)
