"""The message through either MTA: byte for byte as it was sent, apart from the fields that product names."""

from __future__ import annotations

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.servers import mail
from tests.servers.dns import KeyRecord
from tests.servers.sites import Site

ODD = (
    b"Subject:no blank after the colon\r\nX-Empty:\r\nX-Blank: \r\nX-Tab:\ttabbed \t\r\n"
    b"X-Folded: one\r\n\ttwo\r\n  three\r\nx-lower: Case Kept\r\nX-Twice: 1\r\nX-Twice: 2\r\n"
    b"X-Bytes: caf\xe9 \xff\r\nFrom: pat@example.net\r\nDate: Mon, 23 Nov 2026 10:14:05 +0100\r\n"
    b"Message-ID: <%d.odd@example.net>\r\n\r\n"
    b".\r\n..\r\n.dot\r\n\r\n \ttrailing \t\r\nFrom here\r\n8 bits: \xe4\xff\x80\r\n"
    + b"x" * 5000
    + b"\r\n\r\n\r\n"
)


def as_stored(raw: bytes) -> bytes:
    """Return a message with the line ends of a mailbox."""
    return raw.replace(b"\r\n", b"\n")


def test_odd_bytes_arrive_as_they_were(site: Site) -> None:
    raw = ODD % 1

    story = site.receive(raw, "anna@example.org")

    assert story.copy.content == as_stored(raw)
    assert story.copy.fields == ()


def test_odd_bytes_arrive_as_they_were_below_added_fields(site: Site) -> None:
    raw = ODD % 2 + mail.GTUBE.encode() + b"\r\n"

    story = site.receive(raw, "anna@example.org")

    assert story.copy.content == as_stored(raw)
    assert story.copy.fields[0] == ("X-Spam-Flag", "YES")


def test_big_message_arrives_as_it_was(site: Site) -> None:
    raw = mail.message("All work and no play makes Pat a dull correspondent.\n" * 40_000)

    story = site.receive(raw, "anna@example.org")

    assert story.copy.content == as_stored(raw)


def test_message_without_body_is_judged(site: Site) -> None:
    raw = mail.message("")

    story = site.receive(raw, "anna@example.org")

    assert story.copy.content == as_stored(raw)
    assert story.ticket["recipients"][0]["antivirus"] == "clean"


def test_eight_bit_header_name_is_harmless(site: Site) -> None:
    raw = mail.message("Hello\n").replace(b"MIME-Version:", b"X-N\xe4me: value\r\nMIME-Version:")

    story = site.receive(raw, "anna@example.org")

    assert story.reply.code == 250
    assert len(story.tickets) == 1


def test_eight_bit_helo_name_is_harmless(site: Site) -> None:
    raw = mail.letter()

    with site.connect() as client:
        client.greet(b"caf\xe9.example.net")
        story = site.story(raw, client.send(raw, "anna@example.org"))

    assert story.copy.content == as_stored(raw)


def test_null_sender_is_a_sender(site: Site) -> None:
    story = site.receive(mail.letter(), "anna@example.org", sender="")

    assert story.ticket["sender"] == ""
    assert story.ticket["direction"] == "incoming"


def test_messages_of_one_connection_are_strangers(site: Site) -> None:
    infected, marked, clean = mail.eicar_in_zip(), mail.gtube(), mail.letter()

    with site.connect() as client:
        first = site.story(infected, client.send(infected, "anna@example.org", "bob@example.org"))
        second = site.story(marked, client.send(marked, "bob@example.org"))
        client.begin("anna@example.org")
        client.reset()
        third = site.story(clean, client.send(clean, "anna@example.org", sender="robin@example.net"))

    assert first.reply.code == 550
    assert second.places == ["bob@example.org/junk"]
    assert third.copy.fields == ()
    assert third.verdicts == {"anna@example.org=anna@example.org": "clean ham none deliver"}
    assert third.ticket["sender"] == "robin@example.net"


def test_forged_fields_of_our_names_are_removed(site: Site) -> None:
    forged = (
        "X-Spam-Flag: NO\nx-spam-score: -7\nX-SPAM-STATUS: No\nX-Virus-Status: Clean\nX-Virus-Scanned: yes\n"
        "X-Graymail: none\nX-Spam-Level:\nX-Spam-Flag: NO\n"
    )
    kept = "X-Spam-Checker: theirs\nX-Spam: no\n"
    raw = mail.message("Hello\n", fields=forged + kept)

    story = site.receive(raw, "dave@example.org")

    assert story.copy.content == as_stored(raw.replace(forged.replace("\n", "\r\n").encode(), b""))


def test_own_spam_fields_replace_forged_ones(site: Site) -> None:
    raw = mail.message(mail.GTUBE, fields="X-Spam-Flag: NO\nX-Spam-Score: -7\n")

    story = site.receive(raw, "anna@example.org")

    assert dict(story.copy.fields)["X-Spam-Flag"] == "YES"
    assert b"-7" not in story.copy.content


def test_results_under_our_name_are_removed_and_others_stay(site: Site) -> None:
    theirs = "Authentication-Results: mail.example.net; spf=pass smtp.mailfrom=pat@example.net\n"
    forged = (
        "Authentication-Results: mx.example.org; dmarc=pass header.from=example.net\n"
        "Authentication-Results: (really)\n MX.Example.org 1; dkim=pass header.d=example.net\n"
    )
    raw = mail.message("Hello\n", fields=forged + theirs)

    story = site.receive(raw, "anna@example.org")

    assert story.copy.content == as_stored(raw.replace(forged.replace("\n", "\r\n").encode(), b""))


def test_outgoing_mail_keeps_fields_of_our_names(site: Site) -> None:
    raw = mail.message("Hello\n", fields="X-Spam-Flag: NO\n")

    site.submit(raw, "robin@example.net")

    sent = site.mta.sink.wait_for(mail.message_id(raw).encode())
    assert sent.content.endswith(raw)


@pytest.mark.parametrize("canonicalization", [b"simple", b"relaxed"])
def test_signature_still_verifies_below_added_fields(site: Site, canonicalization: bytes) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    record = KeyRecord("mail", "example.net", key.public_key())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    raw = mail.message(f"{mail.GTUBE}\n\n two  blanks \n", fields="X-Spam-Flag: NO\n")
    how = (canonicalization, canonicalization)
    names = [b"from", b"to", b"subject", b"date", b"message-id", b"mime-version", b"content-type"]
    signature = dkim.sign(raw, b"mail", b"example.net", pem, canonicalize=how, include_headers=names)

    story = site.receive(signature + raw, "bob@example.org")

    delivered = story.copy.raw.replace(b"\n", b"\r\n")
    assert story.places == ["bob@example.org/junk"]
    assert b"X-Spam-Flag: YES" in delivered
    assert b"X-Spam-Flag: NO" not in delivered
    assert dkim.verify(delivered, dnsfunc=record.look_up)
