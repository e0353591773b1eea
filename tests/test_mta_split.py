"""A message that is split keeps all that its sender asked for, through either MTA."""

from __future__ import annotations

from email import message_from_bytes
from email.message import Message

import pytest
from tests.servers import mail
from tests.servers.mtas import Delivered
from tests.servers.postfix import Postfix
from tests.servers.sites import Site
from tests.servers.smtp import REFUSED, To, wait_until
from tests.test_mta_bytes import ODD, as_stored

WITH_REPORT = ("NOTIFY=SUCCESS,FAILURE",)
ENVELOPE_ID = "QQ314159"


def arrived(site: Site, raw: bytes) -> dict[str, Delivered]:
    """Return what came into mailboxes of a message, by account."""
    token = mail.message_id(raw).encode()
    return {one.account: one for one in site.mta.arrived() if token in one.raw}


def send(site: Site, raw: bytes, *recipients: To, options: tuple[str, ...] = ()) -> dict[str, Delivered]:
    """Send a message that is split, and return what came into mailboxes."""
    with site.connect() as client:
        assert client.send(raw, *recipients, options=options).code == 250
    assert site.tickets(raw)[-1]["means"] == "split"
    return arrived(site, raw)


def reports(site: Site, raw: bytes, number: int) -> list[Message]:
    """Return so many delivery reports of a message."""
    token = mail.message_id(raw).encode()

    def found() -> list[bytes]:
        return [one.content for one in site.mta.sink.kept if token in one.content]

    wait_until(lambda: len(found()) >= number)
    return [message_from_bytes(one) for one in found()]


def recipients(report: Message) -> dict[str, str]:
    """Return the original recipient by final recipient, and the envelope's ID under "id"."""
    (status,) = [part for part in report.walk() if part.get_content_type() == "message/delivery-status"]
    names = {}
    for part in status.walk():
        if "Original-Envelope-Id" in part:
            names["id"] = str(part["Original-Envelope-Id"])
        if str(part["Action"]).startswith("delivered"):  # Sendmail says where, too
            final = str(part["Final-Recipient"]).partition(";")[2].strip()
            names[final] = str(part["Original-Recipient"]).partition(";")[2].strip()
    return names


def test_reports_come_back_for_all_with_what_the_sender_named_them(split_site: Site) -> None:
    raw = mail.gtube()
    to = (
        ("anna@example.org", (*WITH_REPORT, "ORCPT=rfc822;ann@example.net")),
        ("bob@example.org", WITH_REPORT),
        ("dave@example.org", (*WITH_REPORT, "ORCPT=rfc822;david@example.net")),
        ("kim@example.org", ("NOTIFY=NEVER",)),
    )

    send(split_site, raw, *to, options=("RET=HDRS", f"ENVID={ENVELOPE_ID}"))

    found = [recipients(one) for one in reports(split_site, raw, 2)]
    assert {one.pop("id") for one in found} == {ENVELOPE_ID}
    together: dict[str, str] = {}
    for one in found:
        together |= one
    assert together == {
        "anna@example.org": "ann@example.net",
        "bob+junk@example.org": "bob@example.org",
        "dave@example.org": "david@example.net",
    }


@pytest.mark.parametrize(
    ("option", "returned"), [("RET=HDRS", "text/rfc822-headers"), ("RET=FULL", "message/rfc822")]
)
def test_reports_hold_as_much_of_the_message_as_the_sender_asked_for(
    split_site: Site, option: str, returned: str
) -> None:
    raw = mail.letter()
    user = "anna@example.org"
    with split_site.sign_in(user) as client:
        reply = client.send(raw, "ivan@example.org", REFUSED, sender=user, options=(option,))

    assert reply.code == 250
    assert split_site.tickets(raw)[-1]["means"] == "split"
    report = message_from_bytes(arrived(split_site, raw)[user].raw)
    assert returned in {part.get_content_type() for part in report.walk()}


def test_octets_of_any_kind_arrive_unchanged(split_site: Site) -> None:
    raw = ODD % 102 + mail.GTUBE.encode() + b"\r\n.\r\n..\r\n\xff\xfe 8 bit\r\n"

    found = send(split_site, raw, "anna@example.org", "dave@example.org", options=("BODY=8BITMIME",))

    assert found["dave@example.org"].content == as_stored(raw)
    assert found["anna@example.org"].content.endswith(as_stored(raw))


def test_addresses_beyond_ascii_are_split_as_others(postfix_split_site: Site) -> None:
    raw = mail.message(f"{mail.GTUBE}\n", sender="Zoë <zoë@example.net>", subject="Grüße")

    found = send(postfix_split_site, raw, "zoë@example.org", "dave@example.org", options=("SMTPUTF8",))

    assert (found["zoë@example.org"].folder, set(found)) == ("junk", {"zoë@example.org", "dave@example.org"})
    assert found["dave@example.org"].content == as_stored(raw)


def test_the_log_of_a_copy_names_the_client_that_brought_it(
    postfix: Postfix, postfix_split_site: Site
) -> None:
    raw = mail.gtube()

    send(postfix_split_site, raw, "anna@example.org", "dave@example.org")

    (line,) = [one for one in postfix.log if f"message-id={mail.message_id(raw)}" in one][1:]
    queue_id = line.split(": ")[1]
    assert "192.0.2.25" in postfix.wait_for_log(f"{queue_id}: client=")


def test_a_copy_that_comes_back_is_left_as_it_is(looped_site: Site) -> None:
    raw = mail.gtube()

    with looped_site.connect() as client:
        assert client.send(raw, "anna@example.org", "dave@example.org").code == 250

    found = arrived(looped_site, raw)
    copy, message = sorted(looped_site.tickets(raw), key=lambda one: len(one["recipients"]))
    assert b"X-Spam-Flag: YES\n" in found["anna@example.org"].content
    assert found["dave@example.org"].content == as_stored(raw)
    assert (message["means"], copy["means"], copy["recipients"][0]["antispam"]) == ("split", "uniform", "off")
    assert looped_site.milter.log().count("a copy came back") == 1
