"""The trace field of copies: one line of sight to the client, whatever it calls itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from tests.examples import config, envelope, message

from tamis.policy.allowed import allowed
from tamis.resend.trace import received

NOW = datetime(2026, 11, 28, 12, 15, 3, tzinfo=UTC)


def test_it_says_what_the_mta_would_have_said() -> None:
    assert received(envelope(), NOW) == (
        "Received",
        "from mx.example.net (mx.example.net [192.0.2.25])\n"
        "\tby mx.example.org with ESMTP id 4Xy7;\n"
        "\tSat, 28 Nov 2026 12:15:03 +0000",
    )


@given(st.text(), st.text(), st.none() | st.text())
def test_nothing_that_a_client_says_gets_out_of_its_place(helo: str, name: str, ip: str | None) -> None:
    _, value = received(replace(envelope(), helo=helo, client_name=name, client_ip=ip), NOW)

    assert value.isascii()
    assert value.count("\n") == 2
    assert (value.count("("), value.count(")"), value.count(";")) == (1, 1, 1)


def test_the_client_of_our_own_users_mail_is_not_named() -> None:
    site = config(resend__relay="inet:127.0.0.1:10026")

    assert allowed(message(), site).trace
    assert not allowed(message(around=envelope(auth_user="anna@example.org")), site).trace
    assert not allowed(message(around=replace(envelope(), client_ip="127.0.0.1")), site).trace
