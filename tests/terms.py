"""Configurations that differ in what they promise, for the tests of the policy."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st
from tests.examples import config

from tamis.config import Config
from tamis.promises.terms import Terms
from tamis.retention.conflicts import clashes

# Each key with all that makes a difference to users; the first is the default.
CHOICES: Mapping[str, tuple[object, ...]] = {
    "milter__mode": ("enforce", "shadow"),
    "mail__domains": (["example.org"], ["example.org", "example.com"]),
    "mail__recipient_delimiter": ("+", ""),
    "antivirus__clamd": (
        "unix:/run/clamd",
        ["unix:/run/clamd", "inet:192.0.2.7:3310"],
        "inet:clamd.example.org:1",
    ),
    "antivirus__on_error": ("tempfail", "pass"),
    "antivirus__on_unscannable": ("pass", "mark", "refuse"),
    "antivirus__heuristics": ("mark", "pass", "refuse"),
    "antivirus__mixed": ("discard", "mark"),
    "antispam__mark": (5.0, 6.5),
    "antispam__refuse": (0.0, 9.0, 12.0),
    "antispam__on_error": ("pass", "tempfail"),
    "graymail__on_error": ("pass", "tempfail"),
    "outgoing__antivirus": (True, False),
    "outgoing__antispam": (True, False),
    "outgoing__graymail": (True, False),
    "outgoing__spam_refuse": (15.0, 20.0),
    "users__may_change": (
        ["antivirus", "antispam", "graymail", "actions", "senders", "learning"],
        ["antispam", "actions"],
        ["antivirus", "senders", "learning"],
        [],
    ),
    "users__defaults": (
        {},
        {"antivirus": "off", "antispam": "off", "graymail": "off"},
        {"antispam.action": "file", "graymail.list": "none", "learning": "on"},
        {"antispam.action": "none", "senders.blocked": ["@example.net"]},
    ),
    "users__domains": (
        {},
        {"example.com": {"antivirus": "off", "antispam.mark": 4.0, "graymail.social": "file"}},
        {"example.org": {"antispam": "on", "antispam.action": "mark", "learning": "on"}},
    ),
    "resend__relay": ("", "inet:127.0.0.1:10026"),
    "legal__jurisdictions": ([], ["FR"], ["BE", "FR"]),
    "sessions__smtp": (False, True),
    "notices__smtp": ("", "inet:192.0.2.25:25"),
    "metrics__file": ("", "/run/tamis/tamis.prom"),
    "tickets__fields": ([], ["subject"], ["client_address", "size"]),
    "tickets__pseudonymise_after": ("", "6 months", "200d"),
    "retention__preset": ("", "imail", "mailfence", "mailmo", "mailpro"),
    "retention__notice": ("1 month", "45d"),
    "retention__ticket": (
        {},
        {"age": {"floor": "3 months"}},
        {"age": {"ceiling": ""}},
        {"age": {"ceiling": "400d"}, "sign_in": {"ceiling": "2 years"}},
    ),
    "retention__session": ({}, {"age": {"ceiling": "2 months"}}, {"age": {"ceiling": ""}}),
}


def made(chosen: Mapping[str, object]) -> Config:
    """Return a configuration that could be one."""
    more = {"notices__sender": "post@example.org"} if chosen.get("notices__smtp") else {}
    return config(**chosen, **more)


def terms(**chosen: object) -> Terms:
    """Return the terms of a configuration by section__key."""
    return Terms.of(made(chosen))


def can_be(found: Config) -> bool:
    """Return whether a configuration would start."""
    return not list(clashes(found.rules))


configurations = st.fixed_dictionaries({key: st.sampled_from(values) for key, values in CHOICES.items()}).map(
    made
)
possible = configurations.filter(can_be)
