"""What Authentication-Results of trusted verifiers prove of the From domain."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis import authres
from tamis.authres import Result
from tamis.checks.authentication import authentication
from tamis.finding import Authentication

PASSED, FAILED, UNKNOWN = Authentication.PASSED, Authentication.FAILED, Authentication.UNKNOWN
TRUSTED = frozenset({"mx.example.org"})


def test_names_without_a_value_cost_bounded_time() -> None:
    value = b"mx.example.org; dkim=pass " + b"-" * authres.MAX_FIELD
    started = time.process_time()

    for _ in range(authres.MAX_FIELDS):
        authres.parse(value)

    assert time.process_time() - started < 2  # seconds; it takes a hundredth of that


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("mx.example.org; dmarc=pass header.from=example.net", PASSED),
        ("mx.example.org; dmarc=fail header.from=example.net", FAILED),
        ("mx.example.org; dmarc=fail; dkim=pass header.d=example.net", FAILED),
        ("mx.example.org; dmarc=none; dkim=pass header.d=example.net", PASSED),
        ("mx.example.org; dkim=pass header.d=example.net", PASSED),
        ("mx.example.org; dkim=pass header.i=@mail.example.net", PASSED),
        ("mx.example.org; dkim=pass header.d=example.com", FAILED),
        ("mx.example.org; dkim=fail header.d=example.net", FAILED),
        ("mx.example.org; dkim=pass", FAILED),
        ("mx.example.org; spf=pass smtp.mailfrom=bounce@example.net", PASSED),
        ("mx.example.org; spf=pass smtp.mailfrom=example.net", PASSED),
        ("mx.example.org; spf=pass smtp.mailfrom=anexample.net", FAILED),
        ("mx.example.org; spf=pass smtp.mailfrom=net", FAILED),
        ("mx.example.org; spf=softfail smtp.mailfrom=example.net", FAILED),
        ("mx.example.org; spf=fail smtp.mailfrom=x; dkim=pass header.d=example.net", PASSED),
        ("mx.example.org 1; DKIM = Pass header.d = Example.NET", PASSED),
        ("mx.example.org; dkim/1=pass header.d=example.net", PASSED),
        ('mx.example.org; spf=pass smtp.mailfrom="a b"@example.net', PASSED),
        ("mx.example.org; none", UNKNOWN),
        ("mx.example.org; arc=pass", UNKNOWN),
        ("mx.example.org", UNKNOWN),
        ("", UNKNOWN),
        ("mx.example.net; dmarc=pass", UNKNOWN),
        # What the sender may have put into a comment or a quoted string proves nothing.
        ("mx.example.org; spf=fail (domain of (x) ; dkim=pass header.d=example.net) smtp.mailfrom=x", FAILED),
        ('mx.example.org; spf=fail smtp.mailfrom="; dmarc=pass "@example.net', FAILED),
        ('mx.example.org; spf=fail reason="x" smtp.mailfrom="a\\"; dmarc=pass"@example.net', FAILED),
        ("(mx.example.org;) mx.example.net; dmarc=pass", UNKNOWN),
        # A result about another message's author proves nothing of this one's.
        ("mx.example.org; dmarc=pass header.from=example.com", UNKNOWN),
    ],
)
def test_a_trusted_verifiers_word_counts(value: str, expected: Authentication) -> None:
    assert authentication([value.encode()], TRUSTED, "example.net") is expected


def test_several_fields_count_together() -> None:
    values = (
        b"mx.example.com; dmarc=fail",
        b"mx.example.org; spf=fail",
        b"mx.example.org; dkim=pass header.d=example.net",
    )

    assert authentication(values, TRUSTED, "example.net") is PASSED


def test_a_field_is_parsed_into_verifier_and_results() -> None:
    value = b' MX.example.org (v1) 1;\n dkim=pass (2048 bits) reason="good; really" header.d=example.net'

    assert authres.parse(value) == (
        "mx.example.org",
        (Result("dkim", "pass", (("reason", "good; really"), ("header.d", "example.net"))),),
    )


@given(
    st.text('ab.@;=()"\\ \n/1', max_size=60)
    | st.binary(max_size=60).map(lambda octets: octets.decode("latin-1"))
)
@settings(max_examples=500, deadline=None)
def test_any_bytes_are_a_field_and_prove_nothing_without_saying_pass(text: str) -> None:
    value = text.encode()

    name, _ = authres.parse(value)

    assert name == authres.authserv_id(value)
    assert authentication([value], frozenset({name}), "example.net") is not PASSED
