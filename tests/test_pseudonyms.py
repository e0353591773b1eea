"""A ticket with pseudonyms: nothing of whom it named is left, and its shape is."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.stores import NOON, make_ticket

from tamis.retention.fields import Field
from tamis.store.pseudonyms import Pseudonyms, is_pseudonym, is_pseudonymous
from tamis.ticket import Action, Direction, Means, Outcome, OutgoingChecks, Ticket, new_id, timestamp

KEY = bytes(range(32))
PSEUDONYMS = Pseudonyms(KEY)
ANNA, BOB = "anna@example.org", "bob@example.org"
FORGED = f"{'0' * 32}@pseudonym.invalid"

# Marked, so that what is left of one is found anywhere; with what a client may send that is no text.
words: st.SearchStrategy[str] = st.text(st.characters(codec=None), max_size=10).map(
    lambda text: f"mark{text}mark"
)
addresses = st.one_of(words.map(lambda word: f"{word}@example.org"), st.just(FORGED))


@st.composite
def tickets(draw: st.DrawFn) -> Ticket:
    """Return a ticket of any shape."""
    recipients = [
        Outcome(
            address, account, "clean", "ham", "none", Action.DELIVER, score=1.0, reasons=("DATE_MISSING",)
        )
        for address, account in draw(st.lists(st.tuples(addresses, st.none() | addresses), max_size=4))
    ]
    values: dict[Field, st.SearchStrategy[str | int | None]] = {
        Field.SUBJECT: words,
        Field.CLIENT_ADDRESS: st.just("mark192.0.2.7"),
        Field.SIZE: st.just(10),
    }
    return Ticket(
        id=new_id(NOON),
        time=timestamp(NOON),
        direction=draw(st.sampled_from(list(Direction))),
        mode="enforce",
        message_id=draw(st.none() | words.map(lambda word: f"<{word}>") | words | st.just(f"<{FORGED}>")),
        queue_id="4XyzAB",
        sender=draw(st.just("") | addresses),
        sender_account=draw(st.none() | addresses),
        recipients=tuple(recipients),
        means=Means.UNIFORM,
        outgoing=draw(st.none() | st.just(OutgoingChecks("clean", "ham", "none", score=0.0, reasons=()))),
        more=tuple((name, draw(values[name])) for name in draw(st.sets(st.sampled_from(list(Field))))),
    )


@given(tickets())
def test_nothing_is_left_of_whom_it_named(ticket: Ticket) -> None:
    hidden = PSEUDONYMS.hide(ticket.as_json())

    assert "mark" not in json.dumps(hidden)
    assert is_pseudonymous(hidden)
    assert not {Field.SUBJECT, Field.CLIENT_ADDRESS} & hidden.keys()


@given(tickets())
def test_its_shape_and_all_else_stay(ticket: Ticket) -> None:
    before = ticket.as_json()

    hidden = PSEUDONYMS.hide(before)

    left_out = {Field.SUBJECT, Field.CLIENT_ADDRESS}
    assert list(hidden) == [name for name in before if name not in left_out]
    assert shape(hidden) == shape({name: value for name, value in before.items() if name not in left_out})


def shape(value: object) -> object:
    """Return a ticket with one word in place of each address and message-ID that there is."""
    if isinstance(value, list):
        return [shape(one) for one in value]
    if not isinstance(value, dict):
        return value
    named = ("sender", "sender_account", "address", "account", "message_id")
    return {name: "word" if name in named and one else shape(one) for name, one in value.items()}


@given(tickets())
def test_twice_is_once(ticket: Ticket) -> None:
    once = PSEUDONYMS.hide(ticket.as_json())

    assert PSEUDONYMS.hide(once) == once


def test_equal_addresses_have_equal_pseudonyms_that_are_no_address() -> None:
    first, same, other = (PSEUDONYMS.of(one) for one in (ANNA, "Anna@Example.ORG", BOB))

    assert first == same != other
    assert re.fullmatch("[0-9a-f]{32}@pseudonym[.]invalid", first)
    assert is_pseudonym(first) and not is_pseudonym(ANNA)


def test_pseudonyms_are_those_of_their_key() -> None:
    assert Pseudonyms(bytes(32)).of(ANNA) != PSEUDONYMS.of(ANNA)


@pytest.mark.parametrize("given_id", ["1@example.net", "<1@example.net>", " <1@example.net> "])
def test_a_message_id_is_hashed_without_its_brackets(given_id: str) -> None:
    assert PSEUDONYMS.of_message(given_id) == PSEUDONYMS.of_message("<1@example.net>")


def test_a_message_id_that_is_an_address_has_another_pseudonym() -> None:
    assert PSEUDONYMS.of_message(f"<{ANNA}>") != f"<{PSEUDONYMS.of(ANNA)}>"


def test_a_forged_pseudonym_leaves_no_ticket_as_it_is() -> None:
    forged = make_ticket().as_json() | {"sender": FORGED, "message_id": f"<{FORGED}>"}

    hidden = PSEUDONYMS.hide(forged)

    assert hidden["sender"] == PSEUDONYMS.of(FORGED)
    assert hidden["recipients"][0]["account"] == PSEUDONYMS.of(BOB)
