"""What is said to the relay of a copy, and how its replies are read."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.message import Envelope, Recipient
from tamis.resend.commands import mail, rcpt, unfit, unfit_recipient, xforward
from tamis.resend.guard import guard_name
from tamis.resend.replies import LONGEST_LINE, MOST_LINES, MalformedReply, Reader, Reply, extensions

XFORWARD = frozenset({"NAME", "ADDR", "PROTO", "HELO", "SOURCE", "PORT", "IDENT"})
ALL = {
    one: frozenset[str]()
    for one in ("SIZE", "8BITMIME", "SMTPUTF8", "DSN", "DELIVERBY", "REQUIRETLS", "PIPELINING")
} | {"XFORWARD": XFORWARD}
GIVEN = ("BODY=8BITMIME", "SMTPUTF8", "RET=HDRS", "ENVID=QQ314", "BY=120;R", "SIZE=1", "AUTH=<>")
CLIENT = Envelope(
    client_ip="192.0.2.25", client_name="mail.example.net", helo="helo.example.net", queue_id="4Xy1"
)


def read(octets: bytes) -> Reply | None:
    reader = Reader()
    reader.feed(octets)
    return reader.next()


def test_parameters_are_passed_on_as_the_client_gave_them() -> None:
    line = mail(Envelope("pat@example.net", mail_parameters=GIVEN), ALL, size=1234)

    assert line == (
        b"MAIL FROM:<pat@example.net> SIZE=1234 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=QQ314 BY=120;R\r\n"
    )


def test_parameters_that_are_not_offered_are_left_out() -> None:
    assert mail(Envelope("pat@example.net", mail_parameters=GIVEN), {}, size=1) == (
        b"MAIL FROM:<pat@example.net>\r\n"
    )


def test_null_sender_stays_one() -> None:
    assert mail(Envelope(""), {}, size=1) == b"MAIL FROM:<>\r\n"


def test_reports_on_recipients_are_asked_for_where_they_are_offered() -> None:
    recipient = Recipient("bob@example.org", ("notify=SUCCESS,FAILURE", "ORCPT=rfc822;b+2Bx@example.org"))

    assert rcpt(recipient, ALL) == (
        b"RCPT TO:<bob@example.org> notify=SUCCESS,FAILURE ORCPT=rfc822;b+2Bx@example.org\r\n"
    )
    assert rcpt(recipient, {}) == b"RCPT TO:<bob@example.org>\r\n"


def test_octets_that_are_not_utf_8_come_out_as_they_came_in() -> None:
    address = b"caf\xe9@example.org".decode("utf-8", "surrogateescape")

    assert rcpt(Recipient(address), ALL) == b"RCPT TO:<caf\xe9@example.org>\r\n"


@pytest.mark.parametrize(
    ("sender", "parameters", "offered", "status"),
    [
        ("zoë@example.org", (), {}, "553 5.6.7"),
        ("zoë@example.org", (), ALL, None),
        ("zoe@example.org", ("requiretls",), {}, "550 5.7.30"),
        ("zoe@example.org", ("REQUIRETLS",), ALL, None),
        ("zoe@example.org\r\nRCPT TO:<x@example.org>", (), ALL, "553 5.1.7"),
        ("zoe@example.org", ("ENVID=a\nb",), ALL, "553 5.1.7"),
        ("zoe@example.org", GIVEN, {}, None),
    ],
)
def test_what_cannot_be_kept_is_refused(
    sender: str, parameters: tuple[str, ...], offered: dict[str, frozenset[str]], status: str | None
) -> None:
    assert unfit(Envelope(sender, mail_parameters=parameters), offered) == status


@pytest.mark.parametrize(
    ("address", "offered", "status"),
    [
        ("zoë@example.org", {}, "553 5.6.7"),
        ("zoë@example.org", ALL, None),
        ("bob@example.org\r\nDATA", ALL, "553 5.1.3"),
        ("bob@example.org\0", ALL, "553 5.1.3"),
        ('"b o b"@example.org', {}, None),
    ],
)
def test_recipient_who_cannot_be_named_is_refused(
    address: str, offered: dict[str, frozenset[str]], status: str | None
) -> None:
    assert unfit_recipient(Recipient(address), offered) == status


def test_relay_is_told_of_the_real_client() -> None:
    assert list(xforward(CLIENT, ALL)) == [
        b"XFORWARD SOURCE=REMOTE IDENT=4Xy1 NAME=mail.example.net ADDR=192.0.2.25 HELO=helo.example.net\r\n"
    ]


def test_relay_is_told_no_more_than_it_asks_for() -> None:
    assert list(xforward(CLIENT, {"XFORWARD": frozenset({"ADDR"})})) == [b"XFORWARD ADDR=192.0.2.25\r\n"]
    assert list(xforward(CLIENT, {})) == []


def test_what_is_not_known_of_the_client_is_unavailable() -> None:
    odd = Envelope(client_ip=None, client_name="[192.0.2.1]", helo="caf\udce9 x", queue_id=None)

    assert list(xforward(odd, ALL)) == [
        b"XFORWARD SOURCE=REMOTE IDENT=[UNAVAILABLE] NAME=[UNAVAILABLE] ADDR=[UNAVAILABLE]"
        b" HELO=[UNAVAILABLE]\r\n"
    ]


def test_ipv6_address_has_its_prefix() -> None:
    (line,) = xforward(Envelope(client_ip="2001:db8::25"), {"XFORWARD": frozenset({"ADDR"})})

    assert line == b"XFORWARD ADDR=IPv6:2001:db8::25\r\n"


@given(name=st.text(max_size=300), helo=st.text(max_size=300), client=st.text(max_size=60))
def test_xforward_commands_are_short_and_of_one_line(name: str, helo: str, client: str) -> None:
    long = Envelope(client_ip=client, client_name=name, helo=helo, queue_id="4Xy1")

    for line in (*xforward(long, ALL), *xforward(Envelope(client_name="a.b" * 85, helo="h" * 255), ALL)):
        assert len(line) <= 512
        assert re.fullmatch(rb"XFORWARD( [A-Z]+=[!-~]+)+\r\n", line)


def test_guard_name_is_a_host_name_of_the_key() -> None:
    name = guard_name(b"key")

    assert re.fullmatch(r"tamis-[0-9a-f]{32}\.invalid", name)
    assert guard_name(b"key") == name
    assert guard_name(b"other key") != name


def test_reply_of_several_lines_is_one() -> None:
    assert read(b"250-mx.example.org\r\n250-SIZE 100\r\n250 DSN\r\n") == Reply(
        250, (b"mx.example.org", b"SIZE 100", b"DSN")
    )


@pytest.mark.parametrize("octets", [b"250", b"250 Ok", b"250 Ok\r", b"250-one\r\n", b"", b"25"])
def test_reply_that_is_not_whole_is_waited_for(octets: bytes) -> None:
    assert read(octets) is None


@pytest.mark.parametrize(
    "octets",
    [
        b"Ok\r\n",
        b"\r\n",
        b"25 Ok\r\n",
        b"2500 Ok\r\n",
        b"150 Ok\r\n",
        b"650 Ok\r\n",
        b"250_Ok\r\n",
        b"250-one\r\n550 two\r\n",
        b"2" * (LONGEST_LINE + 1),
        b"250 " + b"x" * LONGEST_LINE + b"\r\n",
        b"250-x\r\n" * (MOST_LINES + 1),
    ],
)
def test_what_is_no_reply_is_told(octets: bytes) -> None:
    with pytest.raises(MalformedReply):
        read(octets)


def test_replies_come_one_after_the_other() -> None:
    reader = Reader()
    reader.feed(b"250 one\r\n550\r\n35")

    assert [reader.next(), reader.next(), reader.next()] == [Reply(250, (b"one",)), Reply(550), None]
    assert reader.pending


@given(octets=st.binary(max_size=40), cuts=st.lists(st.integers(0, 40)))
def test_any_octets_are_replies_or_none(octets: bytes, cuts: list[int]) -> None:
    reader = Reader()
    places = sorted({0, len(octets), *(one for one in cuts if one < len(octets))})
    for start, end in pairwise(places):
        reader.feed(octets[start:end])
        try:
            while (reply := reader.next()) is not None:
                assert 200 <= reply.code < 600
        except MalformedReply:
            return


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"5.1.1 <bob@example.org>: unknown", "550 5.1.1"),
        (b"5.7.30 no", "550 5.7.30"),
        (b"5.1.1", "550 5.1.1"),
        (b"5.1.1.bob@example.org", "550"),
        (b"no such user bob@example.org", "550"),
        (b"", "550"),
    ],
)
def test_status_of_a_reply_holds_no_text(text: bytes, status: str) -> None:
    assert Reply(550, (text,)).status == status


@pytest.mark.parametrize(
    ("text", "queue_id"),
    [
        (b"2.0.0 Ok: queued as 4XyZ12", "4XyZ12"),
        (b"2.0.0 6AN8F0aB001234 Message accepted for delivery", "6AN8F0aB001234"),
        (b"2.0.0 Ok", None),
        (b"Ok: queued as <bob@example.org>", None),
    ],
)
def test_queue_id_of_the_relay_is_known(text: bytes, queue_id: str | None) -> None:
    assert Reply(250, (text,)).queue_id == queue_id


def test_extensions_are_known_in_whatever_case() -> None:
    reply = Reply(250, (b"mx.example.org", b"size 100", b"XForward NAME addr", b"Pipelining", b""))

    assert extensions(reply) == {
        "SIZE": {"100"},
        "XFORWARD": {"NAME", "ADDR"},
        "PIPELINING": frozenset(),
        "": frozenset(),
    }
