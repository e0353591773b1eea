"""What of the hostile list MTAs let through: taken, judged, and harmless to the next message."""

from __future__ import annotations

import pytest
from tests.hostile import Story, stories
from tests.servers import mail
from tests.servers.sites import Site

# No more than these: each stays in a mailbox that other tests look through. Sendmail takes no NULs, no bare
# CR and LF, and no header section of more than 32 KB.
BY_EITHER = (
    "8-bit names",
    "neither fields nor body",
    "13,000 nested elements",
    "tags that never close",
    "equals signs",
    "broken base64",
    "deep multiparts",
)
BY_POSTFIX = (
    "fields as long as Postfix lets them be",
    "10,000 fields",
    "NULs and bare CR and LF",
    "a megabyte of references",
    "encoded words gone wrong",
    "nested comments",
    "NULs",
    "bare CR",
    "charset 2",
)


def raw(story: Story) -> bytes:
    return b"".join(name + b":" + value + b"\r\n" for name, value in story.fields) + b"\r\n" + story.body


def codes(site: Site, name: str) -> list[int]:
    """Send a message of the list and an honest one after it, and return the replies' codes."""
    with site.connect() as client:
        raws = (raw(stories()[name]()), mail.letter())
        return [client.send(one, "kim@example.org").code for one in raws]


@pytest.mark.parametrize("name", BY_EITHER)
def test_a_hostile_message_is_taken_and_the_next_one_too(site: Site, name: str) -> None:
    assert codes(site, name) == [250, 250]


@pytest.mark.parametrize("name", BY_POSTFIX)
def test_what_postfix_lets_through_is_taken_and_the_next_one_too(postfix_site: Site, name: str) -> None:
    assert codes(postfix_site, name) == [250, 250]


def test_all_of_many_fields_of_our_names_are_removed(site: Site) -> None:
    forged = b"X-Spam-Flag: NO\r\nX-Virus-Status: Clean\r\n" * 100
    letter = mail.letter()

    story = site.receive(forged + letter, "kim@example.org")

    assert story.copy.content == letter.replace(b"\r\n", b"\n")
