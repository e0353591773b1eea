"""Copies handed to a real Postfix and a real Sendmail, by the listeners of docs/install-*.md."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from email import message_from_bytes

import pytest
import uvloop
from tests.copies import ENVELOPE
from tests.servers import mail
from tests.servers.mtas import Delivered, Mta
from tests.servers.postfix import Postfix
from tests.servers.sites import Site, Sites
from tests.servers.smtp import wait_until
from tests.test_mta_bytes import ODD, as_stored

from tamis.address import InetAddress
from tamis.decision import Copy
from tamis.message import Envelope, Message, Recipient, split
from tamis.resend.guard import guard_name
from tamis.resend.relay import Relay
from tamis.resend.transaction import Fate, Receipt

NAME = guard_name(b"key")
MARK = (("X-Spam-Flag", "YES"), ("X-Spam-Status", "Yes, score=7.3\n\trequired=5.0"))
serial = itertools.count(1)


@pytest.fixture(params=["postfix", "sendmail"])
def mta(request: pytest.FixtureRequest, sites: Sites) -> Mta:
    """Run either MTA."""
    return sites.postfix if request.param == "postfix" else sites.sendmail


async def accepted(copy: int, recipients: tuple[Recipient, ...]) -> None:
    """Take it as recorded."""


def hand(mta: Mta, raw: bytes, *copies: Copy, envelope: Envelope = ENVELOPE) -> Sequence[Sequence[Receipt]]:
    """Hand copies of a message to an MTA, without fields of a spam filter that it brings along."""
    message = Message(envelope, *split(raw))
    remove = [("X-Spam-Flag", 1)] if message.values(b"x-spam-flag") else []

    async def story() -> Sequence[Sequence[Receipt]]:
        relay = Relay(InetAddress("127.0.0.1", mta.copies), NAME)
        try:
            return await (await relay.prepare(message, copies, remove)).send(accepted)
        finally:
            relay.close()

    return uvloop.run(story())


def to(*addresses: str, fields: Sequence[tuple[str, str]] = ()) -> Copy:
    return Copy(tuple(map(Recipient, addresses)), tuple(fields))


def queued(receipt: Receipt) -> str:
    assert receipt.fate is Fate.ACCEPTED, receipt
    assert receipt.queue_id
    return receipt.queue_id


def delivered(mta: Mta, receipt: Receipt) -> Sequence[Delivered]:
    return mta.delivered(queued(receipt))


def log_of(postfix: Postfix, receipt: Receipt) -> str:
    return postfix.wait_for_log(f"{queued(receipt)}: client=")


def test_copy_arrives_byte_for_byte(mta: Mta) -> None:
    raw = ODD % 101

    ((receipt,), (other,)) = hand(mta, raw, to("anna@example.org", fields=MARK), to("bob+junk@example.org"))

    (anna,) = delivered(mta, receipt)
    (bob,) = delivered(mta, other)
    marks = b"X-Spam-Flag: YES\nX-Spam-Status: Yes, score=7.3\n\trequired=5.0\n"
    assert anna.content == marks + as_stored(raw)
    assert (bob.account, bob.folder, bob.content) == ("bob@example.org", "junk", as_stored(raw))


def test_copy_is_what_the_transaction_would_have_left(site: Site) -> None:
    raw = mail.message(f"{mail.GTUBE}\n.\n..\n", fields="X-Spam-Flag: NO\n")
    in_transaction = site.receive(raw, "anna@example.org").copy

    ((receipt,),) = hand(site.mta, raw, to("anna@example.org", fields=in_transaction.fields))

    (copy,) = delivered(site.mta, receipt)
    marks = "".join(f"{name}: {value}\n" for name, value in in_transaction.fields)
    assert copy.content == marks.encode() + in_transaction.content


def test_copy_goes_past_the_milters(site: Site) -> None:
    raw = mail.gtube()

    ((receipt,),) = hand(site.mta, raw, to("anna@example.org"))

    (copy,) = delivered(site.mta, receipt)
    assert copy.content == as_stored(raw)
    assert site.tickets(raw) == []


def test_octet_of_any_kind_arrives(postfix: Postfix) -> None:
    raw = mail.message(b"\0 nul\r\nX-Not: a field\r\n")

    ((receipt,),) = hand(postfix, raw, to("anna@example.org"))

    assert delivered(postfix, receipt)[0].content == as_stored(raw)


def test_nothing_is_added_to_a_header_section_that_is_not_whole(postfix: Postfix) -> None:
    raw = b"Subject: short\r\nTo: bob\r\n\r\nHello\r\n"

    ((receipt,),) = hand(postfix, raw, to("anna@example.org"))

    assert delivered(postfix, receipt)[0].content == as_stored(raw)


def test_content_is_one_message_whatever_is_in_it(postfix: Postfix) -> None:
    command = b"MAIL FROM:<pat@example.net>\r\nRCPT TO:<anna@example.org>\r\nDATA\r\nsmuggled\r\n.\r\n"
    ends = (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n")
    raw = mail.message("Hello\n") + b"".join(end + command for end in ends)

    ((receipt,),) = hand(postfix, raw, to("kim@example.org"))

    (copy,) = delivered(postfix, receipt)
    files = postfix.mailboxes.glob("**/new/*")  # to which what other tests have sent may still come
    assert copy.content.count(b"smuggled\n") == len(ends)
    assert [b"smuggled" in one.read_bytes() for one in files].count(True) == 1


def test_large_copy_arrives(mta: Mta) -> None:
    raw = mail.message("All work and no play makes Pat a dull correspondent.\n.\n" * 40_000)

    ((receipt,),) = hand(mta, raw, to("anna@example.org"))

    assert delivered(mta, receipt)[0].content == as_stored(raw)


def test_log_shows_the_real_client(postfix: Postfix) -> None:
    ((receipt,),) = hand(postfix, mail.letter(), to("anna@example.org"))

    line = log_of(postfix, receipt)
    assert "postfix/copies/smtpd" in line
    assert "orig_queue_id=4Xy1" in line
    assert "orig_client=mail.example.net[192.0.2.25]" in line


@pytest.mark.parametrize(
    ("ip", "name", "shown"),
    [
        ("2001:db8::25", "mail.example.net", "mail.example.net[2001:db8::25]"),
        ("192.0.2.25", "[192.0.2.25]", "unknown[192.0.2.25]"),
        ("192.0.2.25", "bad_-.example", "unknown[192.0.2.25]"),
        ("192.0.2.25", "a-b_c.1x.example", "a-b_c.1x.example[192.0.2.25]"),
        (None, "localhost", "localhost"),
    ],
)
def test_log_shows_what_is_known_of_a_client(postfix: Postfix, ip: str | None, name: str, shown: str) -> None:
    envelope = replace(ENVELOPE, client_ip=ip, client_name=name, helo="caf\udce9 <x>")

    ((receipt,),) = hand(postfix, mail.letter(), to("anna@example.org"), envelope=envelope)

    assert f"orig_client={shown}" in log_of(postfix, receipt)


def test_copy_names_the_guard(mta: Mta) -> None:
    ((receipt,),) = hand(mta, mail.letter(), to("anna@example.org"))

    assert b"from %s (" % NAME.encode() in delivered(mta, receipt)[0].raw


def test_international_addresses_and_fields_arrive(postfix: Postfix) -> None:
    raw = (
        "From: zoë@example.net\r\nSubject: déjà vu\r\nMessage-ID: <%d.i18n@example.net>\r\n\r\nà bientôt\r\n"
    )
    envelope = replace(ENVELOPE, mail_from="zoë@example.net", mail_parameters=("SMTPUTF8", "BODY=8BITMIME"))
    octets = (raw % next(serial)).encode()

    ((receipt,),) = hand(postfix, octets, to("zoë@example.org", fields=MARK[:1]), envelope=envelope)

    (copy,) = delivered(postfix, receipt)
    assert (copy.account, copy.content) == ("zoë@example.org", b"X-Spam-Flag: YES\n" + as_stored(octets))


def test_report_on_delivery_is_what_the_client_asked_for(mta: Mta) -> None:
    name = f"QQ+{next(serial)}"
    envelope = replace(ENVELOPE, mail_parameters=("RET=HDRS", f"ENVID={name.replace('+', '+2B')}", "SIZE=1"))
    recipient = Recipient("anna+junk@example.org", ("NOTIFY=SUCCESS", "ORCPT=rfc822;anna@example.org"))
    raw = mail.message("Not to be returned\n")

    ((receipt,),) = hand(mta, raw, Copy((recipient,)), envelope=envelope)

    delivered(mta, receipt)
    report = mta.sink.wait_for(b"Original-Envelope-Id: %s\r\n" % name.encode()).content
    assert message_from_bytes(report).get_content_type() == "multipart/report"
    assert b"Original-Recipient: rfc822;anna@example.org\r\n" in report
    assert b"Action: delivered" in report
    assert b"Not to be returned" not in report


def test_connection_serves_many_copies_and_ends_in_good_order(postfix: Postfix) -> None:
    before = len(postfix.log)
    message = Message(ENVELOPE, *split(mail.letter()))

    async def story() -> None:
        relay = Relay(InetAddress("127.0.0.1", postfix.copies), NAME)
        for _ in range(10):
            receipts = await (await relay.prepare(message, [to("anna@example.org")])).send(accepted)
            queued(receipts[0][0])
        relay.close()

    uvloop.run(story())

    def ended() -> list[str]:
        return [line for line in postfix.log[before:] if "copies/smtpd" in line and "disconnect" in line]

    wait_until(lambda: any("xforward=10 mail=10 rcpt=10 data=10 quit=1" in line for line in ended()))
    assert [line for line in postfix.log[before:] if "lost connection" in line or "improper" in line] == []


def test_abandoned_copy_is_not_queued(postfix: Postfix) -> None:
    before = len(postfix.log)
    message = Message(ENVELOPE, *split(mail.letter()))

    async def story() -> None:
        relay = Relay(InetAddress("127.0.0.1", postfix.copies), NAME)
        (await relay.prepare(message, [to("anna@example.org"), to("bob@example.org")])).abandon()

    uvloop.run(story())

    def ended() -> list[str]:
        return [line for line in postfix.log[before:] if "copies/smtpd" in line and "disconnect" in line]

    wait_until(lambda: sum("mail=1 rcpt=1 quit=1" in line for line in ended()) == 2)


@pytest.mark.parametrize(
    ("mta", "refused"),
    [("postfix", "anna@[192.0.2.999]"), ("sendmail", "nobody@example.org")],
    indirect=["mta"],
)
def test_recipient_whom_the_mta_refuses_is_told(mta: Mta, refused: str) -> None:
    (receipts,) = hand(mta, mail.letter(), to("anna@example.org", refused))

    assert [str(one.fate) for one in receipts] == ["accepted", "refused"]
    assert receipts[1].status.startswith("5")
