"""Which way a message goes, and which filters it meets."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.examples import config, resolution

from tamis.finding import Filter
from tamis.message import Envelope
from tamis.policy.direction import direction, submitted, wanted
from tamis.preferences import Preferences
from tamis.ticket import Direction

OUTSIDE = Envelope(mail_from="anna@example.net", client_ip="192.0.2.25", client_name="mx.example.net")
ALL = frozenset(Filter)


@pytest.mark.parametrize(
    "changes",
    [
        {"auth_user": "bob"},
        {"daemon_name": "ORIGINATING"},
        {"client_ip": "127.0.0.1", "mail_from": "bob@example.org"},
        {"client_ip": "127.0.0.1", "mail_from": "Bob@Example.ORG"},
        {"client_ip": "::1", "mail_from": "bob@example.org"},
        {"client_ip": "::ffff:127.0.0.1", "mail_from": "bob@example.org"},
        {"client_ip": "127.0.0.1", "mail_from": ""},
        {"client_ip": None, "client_name": "localhost", "mail_from": "bob@example.org"},
    ],
)
def test_authenticated_submitted_and_internal_mail_is_outgoing(changes: dict[str, str | None]) -> None:
    assert direction(replace(OUTSIDE, **changes), config()) is Direction.OUTGOING  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"mail_from": "bob@example.org"},
        {"mail_from": ""},
        {"client_ip": "127.0.0.1"},
        {"client_ip": "127.0.0.1", "mail_from": "bob@sub.example.org"},
        {"client_ip": "127.0.0.1", "mail_from": "bob"},
        {"client_ip": None, "client_name": "unknown", "mail_from": "bob@example.org"},
        {"client_ip": "no address", "mail_from": "bob@example.org"},
        {"daemon_name": "smtpd"},
        {"auth_user": ""},
        {"client_name": "localhost", "mail_from": "bob@example.org"},
    ],
)
def test_all_other_mail_is_incoming(changes: dict[str, str | None]) -> None:
    assert direction(replace(OUTSIDE, **changes), config()) is Direction.INCOMING  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"auth_user": "bob"},
        {"daemon_name": "ORIGINATING"},
        {"client_ip": "127.0.0.1", "client_name": "localhost"},
        {"client_ip": None, "client_name": "localhost"},
    ],
)
def test_what_a_client_of_ours_hands_in_is_submitted_whoever_its_sender_is(
    changes: dict[str, str | None],
) -> None:
    assert submitted(replace(OUTSIDE, **changes), config())  # type: ignore[arg-type]


@pytest.mark.parametrize("changes", [{}, {"mail_from": ""}, {"mail_from": "bob@example.org"}])
def test_what_the_world_brings_is_not_submitted(changes: dict[str, str]) -> None:
    assert not submitted(replace(OUTSIDE, **changes), config())  # type: ignore[arg-type]


def test_networks_and_daemons_are_the_operators() -> None:
    site = config(mail__internal_networks=["192.0.2.0/24"], mail__outgoing_daemons=[])

    assert direction(replace(OUTSIDE, mail_from="bob@example.org"), site) is Direction.OUTGOING
    assert direction(replace(OUTSIDE, daemon_name="ORIGINATING"), site) is Direction.INCOMING


def test_incoming_mail_meets_the_filters_that_somebody_wants() -> None:
    anna = resolution("anna@example.org", Preferences(antivirus=False, antispam=True, graymail=False))
    bob = resolution("bob@example.org", Preferences(antivirus=False, antispam=False, graymail=True))

    found = wanted(Direction.INCOMING, [anna, bob], config())

    assert found == {Filter.ANTISPAM, Filter.GRAYMAIL}


def test_incoming_mail_that_nobody_wants_filtered_meets_no_filter() -> None:
    off = Preferences(antivirus=False, antispam=False, graymail=False)

    assert wanted(Direction.INCOMING, [resolution(wishes=off)], config()) == frozenset()


def test_outgoing_mail_meets_the_operators_filters() -> None:
    off = Preferences(antivirus=False, antispam=False, graymail=False)
    site = config(outgoing__graymail=False)

    assert wanted(Direction.OUTGOING, [resolution(wishes=off)], site) == ALL - {Filter.GRAYMAIL}


def test_an_external_recipient_of_outgoing_mail_wants_nothing() -> None:
    site = config(outgoing__antivirus=False, outgoing__antispam=False, outgoing__graymail=False)

    assert wanted(Direction.OUTGOING, [resolution("carol@example.net")], site) == frozenset()
    assert wanted(Direction.OUTGOING, [resolution("bob@example.org")], site) == ALL
