"""What of the hostile list Postfix lets through: taken, judged, and harmless to the next message."""

from __future__ import annotations

import pytest
from tests.hostile import Story, stories
from tests.servers import mail
from tests.servers.sites import Site

# No more than this: each stays in a mailbox that other tests look through.
THROUGH = (
    "8-bit names",
    "fields as long as Postfix lets them be",
    "10,000 fields",
    "NULs and bare CR and LF",
    "a megabyte of references",
    "encoded words gone wrong",
    "nested comments",
    "neither fields nor body",
    "NULs",
    "bare CR",
    "13,000 nested elements",
    "tags that never close",
    "equals signs",
    "broken base64",
    "deep multiparts",
    "zip bomb",
    "charset 2",
)


def raw(story: Story) -> bytes:
    return b"".join(name + b":" + value + b"\r\n" for name, value in story.fields) + b"\r\n" + story.body


@pytest.mark.parametrize("name", THROUGH)
def test_a_hostile_message_is_taken_and_the_next_one_too(site: Site, name: str) -> None:
    with site.connect() as client:
        hostile = client.send(raw(stories()[name]()), "kim@example.org")
        following = client.send(mail.letter(), "kim@example.org")

    assert (hostile.code, following.code) == (250, 250)


def test_all_of_many_fields_of_our_names_are_removed(site: Site) -> None:
    forged = b"X-Spam-Flag: NO\r\nX-Virus-Status: Clean\r\n" * 100
    letter = mail.letter()

    story = site.receive(forged + letter, "kim@example.org")

    assert story.copy.content == letter.replace(b"\r\n", b"\n")
