"""The message's own values: whom a recipient means, and what a file holds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.message import Envelope, Message, Recipient, split


@pytest.mark.parametrize(
    "written", ["anna@example.org", "Anna+x@Example.ORG", "zoë@example.org", "o'neil@example.org"]
)
def test_plain_address_means_itself(written: str) -> None:
    recipient = Recipient(written, resolved="robin@example.org")

    assert recipient.meant == written


@pytest.mark.parametrize(
    "written",
    [
        '"anna"@example.org',
        "anna@example.org.",
        "(x)anna@example.org",
        "@relay.example.net:anna@example.org",
        "anna%example.org",
        "anna%example.org@example.com",
        "example.org!anna",
        "anna @example.org",
        "anna",
    ],
)
def test_other_spellings_mean_what_the_mta_says(written: str) -> None:
    recipient = Recipient(written, resolved="anna@example.org")

    assert recipient.meant == "anna@example.org"


@pytest.mark.parametrize(
    "written",
    [
        '"info"@example.org',
        "info@example.org.",
        "info@example.org;",
        "(x)info@example.org",
        "@relay.example.net:info@example.org",
        "info%example.org",
        "info%example.org@example.com",
        '"info@example.org"@example.com',
        "example.org!info",
    ],
)
def test_spelling_is_read_where_the_mta_tells_a_local_users_name(written: str) -> None:
    recipient = Recipient(written, resolved="anna")  # Sendmail has followed an alias of its own

    assert recipient.meant == "info@example.org"


def test_quotes_that_the_mta_leaves_do_not_count() -> None:
    recipient = Recipient('"anna"@example.org', resolved='"anna"@example.org')

    assert recipient.meant == "anna@example.org"


@pytest.mark.parametrize(
    ("written", "meant"),
    [('"anna"@example.org', "anna@example.org"), ("anna%example.org@example.com",) * 2],
)
def test_no_way_is_guessed_where_the_mta_tells_nothing(written: str, meant: str) -> None:
    recipient = Recipient(written)

    assert recipient.meant == meant


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"A: 1\nB: 2\n\nbody\n", b"A: 1\r\nB: 2\r\n\r\nbody\r\n"),
        (b"A: 1\r\nB: 2\r\n\r\nbody\r\n", b"A: 1\r\nB: 2\r\n\r\nbody\r\n"),
        (b"A: 1\n 2\n\t3\n\nbody", b"A: 1\r\n 2\r\n\t3\r\n\r\nbody"),
        (b"From anna@example.net Mon Nov 23\nA: 1\n\nbody\n", b"A: 1\r\n\r\nbody\r\n"),
        (b"\nbody\n", b"\r\nbody\r\n"),
        (b"A: 1\n", b"A: 1\r\n\r\n"),
        # No empty line: the body begins where the fields end, though its words stand in them, too.
        (b"A: Hello Bob\nHello Bob\nB: 2\n", b"A: Hello Bob\r\n\r\nHello Bob\r\nB: 2\r\n"),
        (b"A: 1\nDear Bob: hello\n", b"A: 1\r\n\r\nDear Bob: hello\r\n"),
        (b" folded\nA: 1\n", b"\r\n folded\r\nA: 1\r\n"),
    ],
)
def test_a_file_becomes_the_message_that_an_mta_would_hand_over(raw: bytes, expected: bytes) -> None:
    fields, body = split(raw)

    assert Message(Envelope(), fields, body).raw == expected


@given(
    st.lists(st.sampled_from((b"A: 1", b"\n", b"\r\n", b" x", b":", b"From ")) | st.binary(max_size=5)).map(
        b"".join
    )
)
@settings(max_examples=300)
def test_any_file_is_a_message(raw: bytes) -> None:
    fields, body = split(raw)

    assert all(name and b"\n" not in name and b":" not in name for name, _ in fields)
    assert isinstance(body, bytes)


@given(
    st.lists(st.tuples(*[st.text("a:\r\n ", max_size=4).map(str.encode)] * 2), max_size=4),
    st.binary(max_size=5),
)
@settings(max_examples=300)
def test_the_size_is_that_of_the_message_as_it_came(fields: list[tuple[bytes, bytes]], body: bytes) -> None:
    message = Message(Envelope(), tuple(fields), body)

    assert message.size == len(message.raw)
