"""Sender lists: what matches, what is more specific, and whose list decides."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.examples import FRIEND, authenticated

from tamis.finding import Authentication, Graymail, Sender
from tamis.policy.senders import Standing, declared, specificity, standing
from tamis.preferences import SenderLists
from tamis.spelling import plain

ALLOW, BLOCK, NEITHER = Standing.ALLOWED, Standing.BLOCKED, Standing.UNLISTED


def lists(allowed: str = "", blocked: str = "") -> SenderLists:
    return SenderLists(tuple(allowed.split()), tuple(blocked.split()))


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("friend@example.net", True),
        ("end@example.net", False),
        ("@example.net", True),
        ("@ample.net", False),
        ("@*.example.net", False),
        ("@*.net", True),
        ("@net", False),
    ],
)
def test_patterns_match_whole_names(pattern: str, matches: bool) -> None:
    assert bool(specificity(pattern, "friend@example.net")) is matches


@pytest.mark.parametrize(
    ("pattern", "sender"),
    [
        ("@exämple.fr", "a@xn--exmple-cua.fr"),
        ("@xn--exmple-cua.fr", "a@exämple.fr"),
        ("a@straße.example", "a@xn--strae-oqa.example"),
        ("@*.exämple.fr", "a@mail.xn--exmple-cua.fr"),
    ],
)
def test_domains_match_in_whichever_of_their_two_forms_they_are_written(pattern: str, sender: str) -> None:
    assert specificity(pattern, sender) > 0


@pytest.mark.parametrize("domain", ["xn--example-.net", "xn--strae-oqa.net", "xn--\u212a.net", "xn--.net"])
def test_what_only_looks_like_another_form_of_a_domain_is_no_match(domain: str) -> None:
    assert not any(specificity(f"@{one}.net", f"a@{domain}") for one in ("example", "strasse", "k", ""))


def test_an_address_is_more_specific_than_its_domain_and_that_than_the_domains_above() -> None:
    patterns = ("a@mail.example.net", "@mail.example.net", "@*.example.net", "@*.net")

    found = [specificity(pattern, "a@mail.example.net") for pattern in patterns]

    assert found == sorted(found, reverse=True)
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ((), NEITHER),
        ((lists("@example.com", "@example.org"),), NEITHER),
        ((lists(allowed="friend@example.net"),), ALLOW),
        ((lists(blocked="@example.net"),), BLOCK),
        ((lists("friend@example.net", "@example.net"),), ALLOW),
        ((lists("@example.net", "friend@example.net"),), BLOCK),
        ((lists("@example.net", "@example.net"),), ALLOW),
        ((lists("@example.net", "@*.net"),), ALLOW),
        # The user's word comes before the domain's and the site's, however specific theirs is.
        ((lists("@*.net"), lists(blocked="friend@example.net")), ALLOW),
        ((lists(), lists(blocked="@example.net"), lists(allowed="friend@example.net")), BLOCK),
    ],
)
def test_the_first_level_with_a_match_decides(levels: tuple[SenderLists, ...], expected: Standing) -> None:
    assert standing(levels, FRIEND) is expected


def test_only_blocking_looks_at_mail_from() -> None:
    assert standing([lists(blocked="bounce@lists.example.net")], FRIEND) is BLOCK
    assert standing([lists(allowed="bounce@lists.example.net")], FRIEND) is NEITHER


def test_a_message_of_no_one_author_matches_by_mail_from_alone() -> None:
    nobody = Sender(None, "bounce@lists.example.net")

    assert standing([lists("@example.net", "@example.net")], nobody) is NEITHER
    assert standing([lists("@lists.example.net", "@lists.example.net")], nobody) is BLOCK


@pytest.mark.parametrize("address", ['"two words"@example.net', '""@example.net', "a@b", "@"])
def test_quotes_that_are_needed_stay(address: str) -> None:
    assert plain(address) == address


def test_the_null_sender_is_on_no_list() -> None:
    assert standing([lists(blocked="@example.net")], Sender(None, "")) is NEITHER


def test_a_forged_friend_is_allowed_nothing() -> None:
    forged = authenticated(Authentication.FAILED)

    assert standing([lists(allowed="friend@example.net")], forged) is Standing.UNVERIFIED
    assert standing([lists("friend@example.net", "@example.net")], forged) is BLOCK
    assert standing([lists("friend@example.net"), lists(blocked="@example.net")], forged) is BLOCK


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ((), None),
        ((SenderLists(newsletter=("@example.net",)),), Graymail.NEWSLETTER),
        ((SenderLists(social=("friend@example.net",), newsletter=("@example.net",)),), Graymail.SOCIAL),
        (
            (SenderLists(social=("@example.net",)), SenderLists(newsletter=("friend@example.net",))),
            Graymail.SOCIAL,
        ),
        ((SenderLists(newsletter=("bounce@lists.example.net",)),), None),
    ],
)
def test_lists_declare_classes_by_the_author(
    levels: tuple[SenderLists, ...], expected: Graymail | None
) -> None:
    assert declared(levels, replace(FRIEND)) is expected
