"""Each sentence of the notice stands there if and only if the configuration makes it true."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from hypothesis import Phase, find, given, settings
from tests.stores import NOON
from tests.terms import possible

from tamis.config import Config
from tamis.egress import manifest
from tamis.promises.statement import statement
from tamis.promises.terms import Terms
from tamis.retention.classes import KINDS, RecordClass

FREE = ("antivirus", "antispam", "graymail", "learning")


def default(config: Config, key: str) -> object:
    return config.users.defaults.get(key, "off" if key == "learning" else "on")


def anywhere(config: Config, key: str) -> bool:
    """Return whether a switch can be on for somebody, by what the configuration says itself."""
    others = [
        level.get(key, default(config, key))
        for domain, level in config.users.domains.items()
        if domain in config.mail.domains
    ]
    return key in config.users.may_change or "on" in (default(config, key), *others)


def unused(key: str) -> Callable[[Config], bool]:
    return lambda config: not anywhere(config, key)


def outgoing(config: Config) -> bool:
    return config.outgoing.antivirus or config.outgoing.antispam or config.outgoing.graymail


def scanned(config: Config) -> bool:
    return anywhere(config, "antivirus") or config.outgoing.antivirus


def away(config: Config) -> list[str]:
    """Return the peers that are not on this host."""
    return [one.peer for one in manifest(config) if one.leaves_host]


def learns(value: str, *, free: bool) -> Callable[[Config], bool]:
    return lambda config: (
        default(config, "learning") == value and ("learning" in config.users.may_change) is free
    )


TRUE_WHERE: Mapping[str, Callable[[Config], bool]] = {
    "**At present the filter only watches.**": lambda config: config.milter.mode == "shadow",
    "**Antivirus** is not in use on incoming mail.": unused("antivirus"),
    "**Antispam** is not in use on incoming mail.": unused("antispam"),
    "**Graymail** is not in use on incoming mail.": unused("graymail"),
    "says so in its header. - ": lambda config: (
        config.antivirus.on_error == "pass" and anywhere(config, "antivirus")
    ),
    "What it only suspects is refused.": lambda config: (
        config.antivirus.heuristics == "refuse" and anywhere(config, "antivirus")
    ),
    "(too large, encrypted) is delivered and marked.": lambda config: (
        config.antivirus.on_unscannable == "mark" and anywhere(config, "antivirus")
    ),
    "you get it, too, marked where": lambda config: (
        config.antivirus.mixed == "mark" and anywhere(config, "antivirus")
    ),
    "it is refused; where the message also goes to others": lambda config: (
        config.antispam.refuse > 0 and anywhere(config, "antispam")
    ),
    "You can set another score.": lambda config: "antispam" in config.users.may_change,
    "You can choose whether it is marked": lambda config: (
        "actions" in config.users.may_change and anywhere(config, "antispam")
    ),
    "You can name senders": lambda config: (
        "senders" in config.users.may_change
        and (anywhere(config, "antispam") or anywhere(config, "graymail"))
    ),
    "Nothing is learned from your mail unless you agree.": learns("off", free=True),
    " The filter may learn from mail that you report, unless you object.": learns("on", free=True),
    "each of them gets what was chosen": lambda config: bool(config.resend.relay),
    "they may get only what all of them agreed to": lambda config: not config.resend.relay,
    "Mail that you send is not checked for us.": lambda config: not outgoing(config),
    "You cannot switch that off": outgoing,
    "it is refused as spam.": lambda config: config.outgoing.antispam,
    "on the same server.": lambda config: (
        scanned(config) and any(one.startswith("unix:") for one in config.antivirus.clamd)
    ),
    "whole messages are": lambda config: (
        scanned(config) and any(one.startswith("inet:") for one in config.antivirus.clamd)
    ),
    "Of sign-ins for sending mail": lambda config: config.sessions.smtp,
    "Counts of all mail together": lambda config: bool(config.metrics.file),
    "The content of mail is not kept": lambda config: "subject" not in config.tickets.fields,
    "the IP address of the computer": lambda config: "client_address" in config.tickets.fields,
    "keyed hashes take the place of the addresses": lambda config: config.tickets.period is not None,
    "Subject and IP address are then deleted": lambda config: (
        config.tickets.period is not None and bool(set(config.tickets.fields) & {"subject", "client_address"})
    ),
    "No authority: the filter": lambda config: not config.legal.jurisdictions,
    "Nothing. The filter opens no connection": lambda config: not away(config),
    "You are told by mail when": lambda config: bool(config.notices.smtp),
    "for the least time that stands above": lambda config: any(
        limit.floor
        for kind in RecordClass
        if kind is not RecordClass.LEGAL_ACT
        for limit in config.rules.limits[kind]
    ),
}


def parts(config: Config) -> dict[str, str]:
    """Return the sections of the English notice by their headings, each on one line."""
    notice = statement(Terms.of(config), "en", since=None, now=NOON)
    sections = (section.split("\n", 1) for section in notice.split("\n## "))
    return {heading: " ".join(text.split()) for heading, text in sections}


@pytest.mark.parametrize("sentence", TRUE_WHERE)
def test_a_sentence_is_said_where_it_is_true(sentence: str) -> None:
    @settings(max_examples=60)
    @given(possible)
    def look(config: Config) -> None:
        assert (sentence in " ".join(parts(config).values())) == TRUE_WHERE[sentence](config)

    look()


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("sentence", TRUE_WHERE)
def test_a_sentence_can_be_said_and_left_out(sentence: str, wanted: bool) -> None:
    # Of some there is an example in a hundred; it is not made simpler, which would take its time.
    looking = settings(max_examples=10_000, phases=[Phase.generate])

    config = find(possible, lambda one: TRUE_WHERE[sentence](one) is wanted, settings=looking)

    assert (sentence in " ".join(parts(config).values())) is wanted


@settings(max_examples=100)
@given(possible)
def test_each_class_of_records_stands_there_with_its_limits(config: Config) -> None:
    kept = parts(config)["What is kept, and for how long"]

    terms = Terms.of(config)
    for name in terms.retention:
        title = KINDS[RecordClass(name)].name.english
        line = kept[kept.index(f"- **{title[0].upper()}{title[1:]}**") :].partition(" - **")[0]
        floors = sum(limit.floor is not None for limit in config.rules.limits[RecordClass(name)])
        assert line.partition(" Where limits disagree")[0].count("at least") == floors


@settings(max_examples=100)
@given(possible)
def test_what_leaves_stands_there_and_nothing_else(config: Config) -> None:
    told = parts(config)["What leaves the server"]

    names = [one.partition(": ")[0] for one in told.split("- ")[1:]]
    assert [one.replace("name server", "the resolver of this host") for one in names] == away(config)
