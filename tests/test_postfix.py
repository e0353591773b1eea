"""What is Postfix's own: its limits, its log, SMTPUTF8, and the names that recipients keep."""

from __future__ import annotations

import pytest
from tests.servers import mail
from tests.servers.postfix import Postfix
from tests.servers.sites import Site


@pytest.mark.parametrize("fold", ["\n ", " "])
def test_header_field_over_64_kilobytes_is_harmless(postfix_site: Site, fold: str) -> None:
    references = "".join(f"{fold}<{number}.reference@example.net>" for number in range(3000))
    raw = mail.message(f"{mail.GTUBE}\n", fields=f"References:{references}\n")

    story = postfix_site.receive(raw, "anna@example.org")

    # cleanup(8) itself shortens a field to 60,000 octets where there are milters; the rest is as it was.
    _, _, rest = raw.replace(b"\r\n", b"\n").partition(b"\nFrom: ")
    assert len(references) > 1 << 16
    assert story.copy.content.startswith(raw.replace(b"\r\n", b"\n")[:59_000])
    assert story.copy.content.endswith(b"\nFrom: " + rest)
    assert story.verdicts == {"anna@example.org=anna@example.org": "clean spam none mark"}


def test_message_that_is_broken_off_leaves_no_ticket(postfix: Postfix, postfix_site: Site) -> None:
    raw = mail.letter()

    with postfix_site.connect(client="192.0.2.111") as client:
        client.break_off(raw, "anna@example.org")
    postfix.wait_for_log("lost connection after DATA (")

    assert postfix_site.tickets(raw) == []


def test_group_that_agrees_keeps_its_name(postfix_site: Site) -> None:
    story = postfix_site.receive(mail.gtube(), "crew@example.org")

    assert all(b"X-Original-To: crew@example.org\n" in copy.raw for copy in story.copies)


def test_international_address_is_filed(postfix_site: Site) -> None:
    story = postfix_site.receive(mail.gtube(), "zoë@example.org", options=("SMTPUTF8",))

    assert story.places == ["zoë@example.org/junk"]
    assert story.verdicts == {"zoë@example.org=zoë@example.org": "clean spam none file"}
