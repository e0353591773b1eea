"""The message's own values: whom a recipient means."""

from __future__ import annotations

import pytest

from tamis.message import Recipient


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


@pytest.mark.parametrize("resolved", ["", "anna"])
def test_address_is_taken_as_written_where_the_mta_does_not_tell(resolved: str) -> None:
    recipient = Recipient('"anna"@example.org', resolved=resolved)

    assert recipient.meant == '"anna"@example.org'
