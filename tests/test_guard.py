"""What a copy is known by: all that was received, the sender and one recipient."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import message

from tamis.message import Envelope, HeaderField, Message
from tamis.resend.guard import copy_key

KEY = b"k" * 32
ANNA, BOB = "anna@example.org", "bob@example.org"
LETTER = message(b"Hello\r\n", ANNA, BOB)
FIELDS = LETTER.fields
PARTS = st.sampled_from([b"", b"a", b"b", b"ab", b"\x00" * 8, b"\x00" * 7 + b"\x01", b"a\x00\xff"])


def test_the_message_that_comes_again_has_the_same_keys() -> None:
    again = replace(LETTER, envelope=replace(LETTER.envelope, queue_id="4Xy2", client_ip="192.0.2.9"))

    assert copy_key(KEY, again, ANNA) == copy_key(KEY, LETTER, ANNA)
    assert len(copy_key(KEY, LETTER, ANNA)) == 32


@pytest.mark.parametrize(
    "other",
    [
        replace(LETTER, body=b"Hello!\r\n"),
        replace(LETTER, fields=FIELDS[1:]),
        replace(LETTER, fields=FIELDS[::-1]),
        replace(LETTER, fields=(*FIELDS, (b"X-More", b" 1"))),
        replace(LETTER, fields=((FIELDS[0][0].swapcase(), FIELDS[0][1]), *FIELDS[1:])),
        replace(LETTER, fields=((FIELDS[0][0], b" " + FIELDS[0][1]), *FIELDS[1:])),
        replace(LETTER, envelope=replace(LETTER.envelope, mail_from="pat@example.com")),
    ],
    ids=["body", "fewer", "order", "more", "case", "blank", "sender"],
)
def test_another_message_has_other_keys(other: Message) -> None:
    assert copy_key(KEY, other, ANNA) != copy_key(KEY, LETTER, ANNA)


def test_each_recipient_has_a_key_of_his_own() -> None:
    assert copy_key(KEY, LETTER, ANNA) != copy_key(KEY, LETTER, BOB)


def test_another_installation_has_other_keys() -> None:
    assert copy_key(b"other", LETTER, ANNA) != copy_key(KEY, LETTER, ANNA)


def test_octets_that_are_no_utf_8_are_told_apart() -> None:
    ours, theirs = (copy_key(KEY, LETTER, f"b{octet}b@example.org") for octet in ("\udcff", "\udcfe"))

    assert ours != theirs


@given(one=st.tuples(PARTS, PARTS, PARTS, PARTS), other=st.tuples(PARTS, PARTS, PARTS, PARTS))
def test_nothing_can_shift_from_one_part_to_the_next(
    one: tuple[bytes, bytes, bytes, bytes], other: tuple[bytes, bytes, bytes, bytes]
) -> None:
    def key(parts: tuple[bytes, bytes, bytes, bytes], *, fields: int) -> bytes:
        sender, recipient, name, rest = parts
        head: tuple[HeaderField, ...] = ((name, rest),) * fields
        return copy_key(
            KEY, Message(Envelope(sender.decode("latin-1")), head, rest), recipient.decode("latin-1")
        )

    assert (key(one, fields=1) == key(other, fields=1)) is (one == other)
    assert key(one, fields=0) != key(other, fields=1)


def test_message_that_is_not_whole_has_no_key() -> None:
    with pytest.raises(ValueError, match="not whole"):
        copy_key(KEY, replace(LETTER, omitted=1), ANNA)
