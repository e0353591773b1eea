"""What a change of the configuration weakens of what was promised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from tests.terms import possible, terms

from tamis.config import Config
from tamis.promises.comparison import Effect, compare
from tamis.promises.terms import Terms

Chosen = Mapping[str, object]

WEAKENED: tuple[tuple[Chosen, Chosen, str], ...] = (
    ({}, {"milter__mode": "shadow"}, "milter.mode"),
    ({"mail__domains": ["example.org", "example.com"]}, {}, "mail.domains"),
    ({}, {"antivirus__on_error": "pass"}, "antivirus.on_error"),
    ({"graymail__on_error": "tempfail"}, {}, "graymail.on_error"),
    ({"antivirus__on_unscannable": "refuse"}, {}, "antivirus.on_unscannable"),
    ({"antivirus__heuristics": "refuse"}, {}, "antivirus.heuristics"),
    ({}, {"antivirus__heuristics": "pass"}, "antivirus.heuristics"),
    ({}, {"antivirus__mixed": "mark"}, "antivirus.mixed"),
    ({}, {"antispam__refuse": 9.0}, "antispam.refuse"),
    ({"antispam__refuse": 12.0}, {"antispam__refuse": 9.0}, "antispam.refuse"),
    ({}, {"outgoing__antispam": False}, "outgoing.antispam"),
    (
        {},
        {"users__may_change": ["antispam", "graymail", "actions", "senders", "learning"]},
        "users.may_change: antivirus",
    ),
    (
        {},
        {"users__may_change": ["antivirus", "antispam", "graymail", "actions", "learning"]},
        "users.may_change: senders",
    ),
    ({}, {"users__defaults": {"graymail": "off"}}, "users.defaults: graymail"),
    ({}, {"users__defaults": {"learning": "on"}}, "users.defaults: learning"),
    ({}, {"users__defaults": {"graymail.list": "none"}}, "users.defaults: graymail.list"),
    ({}, {"users__domains": {"example.org": {"antivirus": "off"}}}, "users.domains: example.org: antivirus"),
    ({"resend__relay": "inet:127.0.0.1:10026"}, {}, "resend.relay"),
    ({"notices__smtp": "inet:127.0.0.1:25"}, {}, "notices"),
    ({}, {"legal__jurisdictions": ["FR"]}, "legal.jurisdictions"),
    ({}, {"tickets__fields": ["subject"]}, "tickets.fields"),
    ({"tickets__pseudonymise_after": "6 months"}, {}, "tickets.pseudonymise_after"),
    (
        {"tickets__pseudonymise_after": "6 months"},
        {"tickets__pseudonymise_after": "200d"},
        "tickets.pseudonymise_after",
    ),
    ({}, {"sessions__smtp": True}, "sessions.smtp"),
    ({}, {"retention__ticket": {"age": {"ceiling": "13 months"}}}, "retention.ticket.age.ceiling"),
    ({}, {"retention__ticket": {"age": {"ceiling": ""}}}, "retention.ticket.age.ceiling"),
    ({"retention__preset": "mailo"}, {}, "retention.ticket.age.floor"),
    ({}, {"retention__ticket": {"age": {"floor": "3 months"}}}, "retention.ticket.age.floor"),
    ({"retention__preset": "imail"}, {}, "retention.ticket.sign_in.ceiling"),
    ({"retention__notice": "2 months"}, {}, "retention.notice"),
    ({}, {"antivirus__clamd": "inet:192.0.2.7:3310"}, "egress"),
)
STRENGTHENED: tuple[tuple[Chosen, Chosen, str], ...] = (
    ({"milter__mode": "shadow"}, {}, "milter.mode"),
    ({"antispam__refuse": 9.0}, {}, "antispam.refuse"),
    ({"antispam__refuse": 9.0}, {"antispam__refuse": 12.0}, "antispam.refuse"),
    ({"users__defaults": {"graymail": "off"}}, {}, "users.defaults: graymail"),
    ({"users__defaults": {"learning": "on"}}, {}, "users.defaults: learning"),
    ({"tickets__fields": ["subject"]}, {}, "tickets.fields"),
    ({}, {"tickets__pseudonymise_after": "6 months"}, "tickets.pseudonymise_after"),
    ({"sessions__smtp": True}, {}, "sessions.smtp"),
    ({}, {"retention__ticket": {"age": {"ceiling": "6 months"}}}, "retention.ticket.age.ceiling"),
    ({}, {"retention__notice": "2 months"}, "retention.notice"),
    ({"antivirus__clamd": "inet:192.0.2.7:3310"}, {}, "egress"),
    ({}, {"notices__smtp": "inet:127.0.0.1:25"}, "notices"),
)
CHANGED: tuple[tuple[Chosen, Chosen, str], ...] = (
    ({}, {"antispam__mark": 6.5}, "users.defaults: antispam.mark"),
    ({}, {"users__defaults": {"antispam.action": "file"}}, "users.defaults: antispam.action"),
    ({}, {"outgoing__spam_refuse": 20.0}, "outgoing.spam_refuse"),
    ({}, {"resend__relay": "inet:127.0.0.1:10026"}, "retention.copy_guard"),
    ({}, {"metrics__file": "/run/tamis/tamis.prom"}, "metrics.file"),
    ({}, {"antivirus__clamd": "unix:/run/other"}, "egress"),
    ({}, {"users__defaults": {"senders.blocked": ["@example.net"]}}, "users.defaults: senders.blocked"),
)


def effects(old: Chosen, new: Chosen) -> set[tuple[Effect, str]]:
    return {(change.effect, change.key) for change in compare(terms(**old), terms(**new))}


@pytest.mark.parametrize(("old", "new", "key"), WEAKENED)
def test_it_weakens(old: Chosen, new: Chosen, key: str) -> None:
    assert (Effect.WEAKENS, key) in effects(old, new)


@pytest.mark.parametrize(("old", "new", "key"), STRENGTHENED)
def test_it_strengthens_and_weakens_nothing(old: Chosen, new: Chosen, key: str) -> None:
    found = effects(old, new)

    assert (Effect.STRENGTHENS, key) in found
    assert not [change for change in found if change[0] is Effect.WEAKENS]


@pytest.mark.parametrize(("old", "new", "key"), CHANGED)
def test_it_does_neither(old: Chosen, new: Chosen, key: str) -> None:
    found = effects(old, new)

    assert (Effect.CHANGES, key) in found
    assert not [change for change in found if change[0] is Effect.WEAKENS]


def test_a_default_of_all_domains_is_named_once() -> None:
    domains = ["example.org", "example.com", "example.net"]
    old = terms(mail__domains=domains)
    new = terms(mail__domains=domains, users__defaults={"antispam": "off"})

    assert [change.key for change in compare(old, new)] == ["users.defaults: antispam"]


def test_what_holds_for_a_new_domain_alone_weakens_nothing() -> None:
    domains = ["example.org", "example.com"]
    new = terms(mail__domains=domains, users__domains={"example.com": {"antivirus": "off"}})

    assert [change.key for change in compare(terms(), new)] == ["mail.domains"]


def test_what_is_said_of_a_domain_that_is_not_ours_makes_no_other_terms() -> None:
    assert terms(users__domains={"example.net": {"antivirus": "off"}}) == terms()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("", "3 months", "no least time becomes at least 3 months: erasure waits for it"),
        ("3 months", "6 months", "at least 3 months becomes at least 6 months: erasure waits for it"),
        ("6 months", "3 months", "at least 6 months becomes at least 3 months: they may be gone sooner"),
        ("3 months", "", "at least 3 months becomes no least time: they may be gone sooner"),
    ],
)
def test_another_floor_weakens_and_says_why(old: str, new: str, said: str) -> None:
    before, after = (terms(retention__ticket={"age": {"floor": floor}}) for floor in (old, new))

    (change,) = compare(before, after)

    assert (change.effect, change.text) == (Effect.WEAKENS, said)


def test_what_is_weakened_comes_first() -> None:
    old = terms(tickets__fields=["size"], antispam__mark=4.0)

    found = compare(old, terms(tickets__fields=["subject"], antispam__mark=5.0))

    assert [change.effect for change in found] == [Effect.WEAKENS, Effect.STRENGTHENS, Effect.CHANGES]


@settings(max_examples=150)
@given(possible, possible)
def test_terms_that_differ_have_another_fingerprint_and_a_change_that_is_named(
    one: Config, other: Config
) -> None:
    old, new = Terms.of(one), Terms.of(other)

    assert (old == new) == (old.fingerprint == new.fingerprint) == (not compare(old, new))


@settings(max_examples=50)
@given(possible)
def test_terms_are_the_same_when_they_come_back_from_json(config: Config) -> None:
    given = Terms.of(config)

    found = Terms.model_validate_json(given.model_dump_json())

    assert found == given
    assert found.fingerprint == given.fingerprint


def test_the_order_in_which_a_list_is_written_makes_no_other_terms() -> None:
    one = terms(mail__domains=["a.example", "b.example"], legal__jurisdictions=["FR", "BE"])
    other = terms(mail__domains=["b.example", "a.example"], legal__jurisdictions=["BE", "FR"])

    assert one.fingerprint == other.fingerprint


def test_what_a_newer_tamis_added_is_passed_over() -> None:
    kept = terms().model_dump(mode="json") | {"flavour": "sweet"}

    assert Terms.model_validate(kept) == terms()


def test_a_change_is_told_in_json() -> None:
    (change,) = compare(terms(), terms(antivirus__on_error="pass"))

    assert asdict(change) == change.as_json()
    assert change.as_json() == {
        "effect": "weakens",
        "key": "antivirus.on_error",
        "text": "tempfail becomes pass",
    }
