"""What a milter connection collects becomes the message that was sent."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.front.session import Session, path, rcpt_to
from tamis.message import Recipient


def test_a_session_makes_a_message_of_what_it_was_told() -> None:
    session = Session()
    session.client_ip, session.helo, session.mta_name = "192.0.2.25", "mx.example.net", "mx.example.org"
    session.mail(b"<anna@example.net>", (b"SIZE=100",))
    session.recipients.append(rcpt_to(b"<bob@example.org>", (b"NOTIFY=NEVER",), ""))
    session.fields.append((b"Subject", b" hello"))
    session.chunks += [b"one\r\n", b"two\r\n"]

    message = session.message("4Xy7")

    assert message.raw == b"Subject: hello\r\n\r\none\r\ntwo\r\n"
    assert message.envelope.mail_from == "anna@example.net"
    assert message.envelope.recipients == (Recipient("bob@example.org", ("NOTIFY=NEVER",)),)
    assert message.envelope.mail_parameters == ("SIZE=100",)
    assert (message.envelope.queue_id, message.envelope.client_ip) == ("4Xy7", "192.0.2.25")


def test_a_second_message_knows_nothing_of_the_first() -> None:
    session = Session()
    session.mail(b"<anna@example.net>", ())
    session.auth_user = "anna"
    session.recipients.append(rcpt_to(b"<bob@example.org>", (), ""))
    session.chunks.append(b"one\r\n")
    session.message("4Xy7")
    session.mail(b"<>", ())

    message = session.message("4Xy8")

    assert message.raw == b"\r\n"
    assert (message.envelope.mail_from, message.envelope.recipients) == ("", ())
    assert message.envelope.auth_user is None


@pytest.mark.parametrize(("told", "known"), [("192.0.2.25", "192.0.2.25"), ("0", None), (None, None)])
def test_client_is_known_where_the_mta_tells_an_address(told: str | None, known: str | None) -> None:
    session = Session()
    session.mail(b"<anna@example.net>", ())
    session.came_from(told)

    message = session.message("4Xy7")

    assert message.envelope.client_ip == known


def test_the_content_does_not_outlive_its_message() -> None:
    session = Session()
    session.mail(b"<anna@example.net>", ())
    session.chunks.append(b"one\r\n")

    session.message("4Xy7")

    assert (session.chunks, session.fields) == ([], [])


def test_a_very_large_body_is_kept_as_far_as_it_is_judged() -> None:
    session = Session()
    session.mail(b"<anna@example.net>", ())
    for _ in range(5):
        session.body(b"1234", 10)

    message = session.message("4Xy7")

    assert (message.body, message.omitted) == (b"123412341234", 8)
    assert message.size == len(b"\r\n") + 20


def test_a_dropped_message_leaves_nothing_in_memory() -> None:
    session = Session()
    session.mail(b"<anna@example.net>", ())
    session.recipients.append(rcpt_to(b"<bob@example.org>", (), ""))
    session.fields.append((b"Subject", b" hello"))
    session.body(b"one\r\n", 10)
    session.received = 100

    session.drop()

    assert session.dropped
    assert (session.octets, session.fields, session.chunks, session.recipients) == (0, [], [], [])


def test_the_next_message_is_not_dropped_with_the_last() -> None:
    session = Session()
    session.mail(b"<anna@example.net>", ())
    session.drop()

    session.mail(b"<anna@example.net>", ())

    assert not session.dropped


def test_addresses_lose_their_brackets_only() -> None:
    assert path(b"<anna@example.net>") == "anna@example.net"
    assert path(b"anna@example.net") == "anna@example.net"
    assert path(b'<"a b"@example.net>') == '"a b"@example.net'
    assert path(b"<>") == ""


@given(st.binary(max_size=40))
@settings(max_examples=300)
def test_any_octets_of_an_address_survive(octets: bytes) -> None:
    assert path(b"<" + octets + b">").encode("utf-8", "surrogateescape") == octets
