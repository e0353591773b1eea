"""The octets of a copy: those that the MTA would make of the same plan, and never a second message."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tamis.message import Envelope, Message, split
from tamis.resend import content
from tamis.sandbox import edit
from tamis.sandbox.wire import ChangeField, InsertField, Modification

END_FOR_SOMEBODY = re.compile(rb"(?:\A|\n)\.\r*\n")
FIELDS = (("X-Spam-Flag", "YES"), ("X-Spam-Status", "Yes, score=7.3\n\ttests=GTUBE"))

NAMES = st.sampled_from([b"X-Spam-Flag", b"x-spam-flag", b"X-SPAM-FLAG ", b"Subject", b".dot", b"To"])
ANYTHING = st.binary(max_size=12).map(lambda one: b" " + one.replace(b"\n", b"\n ").replace(b"\0", b""))
VALUES = ANYTHING.filter(lambda one: b"\r\n" not in one and not one.endswith(b"\r"))  # Postfix drops such CRs


def message(body: bytes = b"Hello\r\n", *fields: tuple[bytes, bytes]) -> Message:
    return Message(Envelope(), fields or ((b"Subject", b" Lunch"),), body)


def sent(one: Message, fields: content.Fields = (), remove: content.Removals = ()) -> bytes:
    return b"".join(content.pieces(content.head(one, fields, remove), one))


def arrived(wire: bytes) -> bytes:
    """Return what a strict server makes of what it gets after DATA, all of it taken."""
    lines, end, rest = (b"\r\n" + wire).partition(b"\r\n.\r\n")
    assert (end, rest) == (b"\r\n.\r\n", b"")
    return (lines + b"\r\n").replace(b"\r\n.", b"\r\n")[2:]


def as_mta_stores(octets: bytes) -> bytes:
    """Return octets with each line ended by CRLF, the last one, too."""
    lines = octets.replace(b"\r\n", b"\n")
    return (lines if lines.endswith(b"\n") else lines + b"\n").replace(b"\n", b"\r\n")


def test_fields_stand_on_top_in_their_order() -> None:
    octets = arrived(sent(message(), FIELDS))

    assert octets == (
        b"X-Spam-Flag: YES\r\nX-Spam-Status: Yes, score=7.3\r\n\ttests=GTUBE\r\n"
        b"Subject: Lunch\r\n\r\nHello\r\n"
    )


def test_fields_are_removed_by_name_and_occurrence() -> None:
    one = message(
        b"", (b"X-Spam-Flag", b" 1"), (b"To", b" a"), (b"x-spam-flag ", b" 2"), (b"X-Spam-Flag", b" 3")
    )

    octets = arrived(sent(one, remove=(("X-Spam-Flag", 2), ("X-Spam-Flag", 1))))

    assert octets == b"To: a\r\nX-Spam-Flag: 3\r\n\r\n"


def test_folds_of_a_milter_become_line_ends() -> None:
    assert arrived(sent(message(b"", (b"Subject", b" a\n\tb")))) == b"Subject: a\r\n\tb\r\n\r\n"


def test_dots_at_the_start_of_lines_are_doubled() -> None:
    octets = sent(message(b".\r\n..\r\na.b\r\n.c\r\n", (b".dot", b" 1")))

    assert octets == b"..dot: 1\r\n\r\n..\r\n...\r\na.b\r\n..c\r\n.\r\n"


@pytest.mark.parametrize(
    "end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r\n", b"\n.\r\r\n", b"\r\n.\r\r\n"]
)
def test_no_server_sees_an_end_in_the_midst(end: bytes) -> None:
    octets = sent(message(b"one" + end + b"MAIL FROM:<a@example.net>\r\n"))

    assert [match.start() for match in END_FOR_SOMEBODY.finditer(octets)] == [len(octets) - 4]


def test_carriage_returns_alone_stay() -> None:
    body = b"a\rb\r.\rc\r\n"

    assert arrived(sent(message(body))).endswith(b"\r\n\r\n" + body)


def test_message_that_does_not_end_its_line_gets_a_line_end() -> None:
    assert arrived(sent(message(b"Hello"))).endswith(b"\r\n\r\nHello\r\n")


@given(
    body=st.lists(
        st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"..", b"a", b"\0", b"\xff", b"\r\n.\r\n"])
        | st.binary(max_size=9)
    ).map(b"".join),
    chunk=st.integers(1, 9),
)
@example(body=b"", chunk=1)
@example(body=b"a\r\n", chunk=2)
@example(body=b"\r\n.\r\n.", chunk=2)
def test_any_bytes_survive(body: bytes, chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(content, "CHUNK", chunk)
        wire = sent(message(body))

    assert arrived(wire) == as_mta_stores(b"Subject: Lunch\r\n\r\n" + body)
    assert [match.start() for match in END_FOR_SOMEBODY.finditer(wire)] == [len(wire) - 4]


@given(
    fields=st.lists(st.tuples(NAMES, VALUES), max_size=6),
    occurrences=st.sets(st.integers(1, 4)),
    ours=st.lists(
        st.tuples(st.sampled_from(["X-Spam-Flag", "X-Graymail"]), st.sampled_from(["YES", "a;\n\tb"]))
    ),
)
def test_copy_is_what_the_mta_makes_of_the_same_plan(
    fields: list[tuple[bytes, bytes]], occurrences: set[int], ours: list[tuple[str, str]]
) -> None:
    raw = b"".join(name + b":" + value.replace(b"\n", b"\r\n") + b"\r\n" for name, value in fields)
    raw += b"\r\nHello\r\n"
    remove = tuple(("X-Spam-Flag", one) for one in sorted(occurrences, reverse=True))
    changes: list[Modification] = [ChangeField(one, b"X-Spam-Flag", b"") for _, one in remove]
    changes += [InsertField(0, name.encode(), b" " + value.encode()) for name, value in reversed(ours)]

    by_mta, _ = edit.apply(raw, (), changes)

    assert arrived(sent(Message(Envelope(), *split(raw)), ours, remove)) == as_mta_stores(by_mta)


def test_size_is_that_of_the_content() -> None:
    one = message(b".\r\n" * 3)
    head = content.head(one, FIELDS, ())

    assert content.size(head, one) == len(arrived(b"".join(content.pieces(head, one))))


def test_large_body_goes_out_in_pieces() -> None:
    one = message(b"x" * 76 * 100_000)

    sizes = [len(piece) for piece in content.pieces(content.head(one, (), ()), one)]

    assert max(sizes) <= content.CHUNK + 100
    assert len(sizes) == -(-len(one.body) // content.CHUNK)
