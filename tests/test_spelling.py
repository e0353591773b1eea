"""Addresses in all their spellings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.spelling import in_letters, plain, routed

ADDRESSES = st.text('ab@%!"\\()<>:,;. \té', max_size=40)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("anna@example.org", "anna@example.org"),
        ('"anna"@example.org', "anna@example.org"),
        ('"an\\na"@example.org', "anna@example.org"),
        ("an\\na@example.org", "anna@example.org"),
        ('an."na"@example.org', "an.na@example.org"),
        ('"anna+x"@example.org', "anna+x@example.org"),
        ("anna@example.org.", "anna@example.org"),
        ("anna@example.org;", "anna@example.org"),
        ("(a (nested) friend)anna(x)@example.org", "anna@example.org"),
        ("anna @ example.org", "anna@example.org"),
        ("@relay.example.net,@other.example.net:anna@example.org", "anna@example.org"),
        ('"two words"@example.org', '"two words"@example.org'),
        ('"two@signs"@example.org', '"two@signs"@example.org'),
        ('"a\\"b"@example.org', '"a\\"b"@example.org'),
        ('""@example.org', '""@example.org'),
        ("anna", "anna"),
        ('"anna"', "anna"),
        ("", ""),
    ],
)
def test_plain_form(written: str, meant: str) -> None:
    assert plain(written) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("anna@example.org", "anna@example.org"),
        ("anna", "anna"),
        ("anna%example.org", "anna@example.org"),
        ("anna%example.org@example.com", "anna@example.org"),
        ("anna%example.org%example.net@example.com", "anna@example.org"),
        ("example.org!anna", "anna@example.org"),
        ("example.org!anna@example.com", "anna@example.org"),
        ('"anna@example.org"@example.com', "anna@example.org"),
        ("%example.org", "%example.org"),
        ("anna%", "anna%"),
        ("!", "!"),
    ],
)
def test_way_that_a_host_sends_its_own(written: str, meant: str) -> None:
    assert routed(written) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a@xn--exmple-cua.fr", "a@exämple.fr"),
        ("xn--exmple-cua@example.org", "xn--exmple-cua@example.org"),
        ("@mail.xn--exmple-cua.fr", "@mail.exämple.fr"),
        ("a@xn--paypal-.com", "a@xn--paypal-.com"),  # decodes to plain ASCII: another domain's name
        ("a@xn--a-99999999999.com", "a@xn--a-99999999999.com"),
        ("a@xn--\udcff.com", "a@xn--\udcff.com"),
    ],
)
def test_domain_as_people_write_it(written: str, meant: str) -> None:
    assert in_letters(written) == meant


@given(ADDRESSES)
def test_plain_form_is_plain(written: str) -> None:
    once = plain(written)

    assert plain(once) == once


@given(ADDRESSES)
def test_way_of_any_address_ends(written: str) -> None:
    once = routed(plain(written))

    assert routed(once) == once
