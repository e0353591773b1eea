"""The privacy notice: what it says is so, in both languages, whatever the configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given, settings
from tests.stores import NOON
from tests.terms import possible, terms
from tests.texts import texts

from tamis import config as configuration
from tamis.config import Config
from tamis.promises.speech import Speech
from tamis.promises.statement import WIDTH, statement
from tamis.promises.terms import Terms
from tamis.words.catalogue import catalogue, languages, parse

ROOT = Path(__file__).parents[1]
PLACE = re.compile(r"\{(\w+)\}")


def english(chosen: Mapping[str, object]) -> str:
    """Return the notice on one line."""
    return " ".join(statement(terms(**chosen), "en", since=None, now=NOON).split())


def test_both_languages_have_each_text_and_no_other() -> None:
    assert set(catalogue("fr").texts) == set(texts())


def test_translations_have_the_same_places_to_fill() -> None:
    found = {
        english: french
        for english, french in catalogue("fr").texts.items()
        if set(PLACE.findall(english)) != set(PLACE.findall(french))
    }

    assert not found


def test_translations_leave_no_blank_before_which_a_line_may_end() -> None:
    assert [one for one in catalogue("fr").texts.values() if re.search(r" [:;?!»]|« ", one)] == []


def test_what_is_fuzzy_or_empty_is_not_said() -> None:
    po = """
msgid ""
msgstr "the header"

#, fuzzy
msgid "a"
msgstr "b"

msgid "c"
msgstr ""

msgid ""
"d "
"\\"e\\""
msgstr "f"
"""

    assert parse(po) == {'d "e"': "f"}


def test_the_catalogue_is_packaged() -> None:
    assert files("tamis.words").joinpath("fr.po").is_file()


@settings(max_examples=150)
@given(possible)
def test_each_configuration_has_a_notice_in_both_languages(config: Config) -> None:
    for language in languages():
        notice = statement(Terms.of(config), language, since=NOON, now=NOON)

        assert not re.search(r"[{}]|None|  \S*$", notice)
        assert all(len(line) <= WIDTH for line in notice.splitlines())
        assert notice.count("\n## ") == 7


SAID: tuple[tuple[Mapping[str, object], str], ...] = (
    # What is analysed.
    ({}, "Antivirus** looks for malware. It is on unless you switch it off."),
    ({"users__defaults": {"antivirus": "off"}}, "malware. It is off unless you switch it on."),
    ({"users__may_change": []}, "malware. It is on, and users cannot switch it off."),
    (
        {"users__may_change": [], "users__defaults": {"antivirus": "off"}},
        "**Antivirus** is not in use on incoming mail.",
    ),
    (
        {"users__domains": {"example.org": {"graymail": "off"}}},
        "For addresses of example.org it is off.",
    ),
    ({"milter__mode": "shadow"}, "**At present the filter only watches.**"),
    ({"antivirus__on_error": "pass"}, "is delivered without having been scanned"),
    ({"antivirus__on_unscannable": "refuse"}, "(too large, encrypted) is refused."),
    ({"antivirus__heuristics": "pass"}, "What it only suspects is delivered. "),
    ({"antivirus__mixed": "mark"}, "you get it, too, marked where the others' copies do not show it."),
    ({"antispam__on_error": "tempfail"}, "If the filter fails, the message waits with its sender"),
    ({"antispam__mark": 6.5}, "from a score of 6.5 on a message is spam."),
    ({"antispam__refuse": 9.0}, "From a score of 9.0 on it is refused; where"),
    ({"users__defaults": {"antispam.action": "file"}}, "Spam is put into a folder of its own"),
    ({"users__defaults": {"antispam.action": "none"}}, "Spam is delivered as it is."),
    ({"users__defaults": {"graymail.list": "none"}}, "mail of a discussion list is delivered as it is."),
    ({"users__defaults": {"learning": "on"}}, "may learn from mail that you report, unless you object."),
    ({"users__may_change": []}, "Nothing is learned from your mail."),
    ({"users__defaults": {"senders.blocked": ["@example.net"]}}, "We ourselves keep lists of senders"),
    ({"resend__relay": "inet:127.0.0.1:10026"}, "each of them gets what was chosen"),
    ({}, "they may get only what all of them agreed to"),
    ({}, "the reputation of our servers: antivirus, antispam and graymail. You cannot switch that off"),
    ({"outgoing__graymail": False, "outgoing__antispam": False}, "servers: antivirus. You cannot"),
    (
        {f"outgoing__{name}": False for name in ("antivirus", "antispam", "graymail")},
        "Mail that you send is not checked for us.",
    ),
    ({"outgoing__spam_refuse": 20.0}, "From a score of 20.0 on it is refused as spam."),
    # By which means.
    ({}, "(ClamAV) on the same server."),
    ({"antivirus__clamd": "inet:192.0.2.7:3310"}, "(ClamAV) at inet:192.0.2.7:3310: whole messages are sent"),
    (
        {"antivirus__clamd": ["unix:/run/clamd", "inet:192.0.2.7:3310"]},
        "It may be looked for by another at inet:192.0.2.7:3310: whole messages are then sent there.",
    ),
    # What is kept.
    ({}, "and to answer lawful requests: at most 1 year."),
    (
        {"retention__preset": "mailo"},
        "**Tickets**, to tell what became of a message, and to answer lawful requests: at least 1 year and "
        "at most 13 months.",
    ),
    (
        {"retention__preset": "mailfence"},
        "after the account is closed, at least 365 days and at most 395 days",
    ),
    ({"retention__preset": "imail"}, "if nobody signs in to the account for 3 years, until 1 month after"),
    ({"retention__ticket": {"age": {"ceiling": ""}}}, "lawful requests: no end is set."),
    ({}, "**Sign-ins**, to let a user see who signed in to the account: at most 1 month."),
    ({}, "Of sign-ins to the page where you set the filter, date, type and IP address are recorded."),
    ({"sessions__smtp": True}, "Of sign-ins for sending mail the same is recorded, once an hour at most"),
    (
        {"resend__relay": "inet:127.0.0.1:10026"},
        "mail server tries again: they count for 1 hour and are deleted when copies",
    ),
    ({"tickets__fields": ["subject"]}, "Besides: the subject (up to 200 characters of it; that is content)."),
    ({"tickets__fields": ["subject"]}, "only the message-ID and the subject."),
    ({}, "The content of mail is not kept"),
    ({"tickets__fields": ["size", "client_address"]}, "Besides: the IP address of the computer that"),
    ({"tickets__pseudonymise_after": "6 months"}, "After 6 months keyed hashes take the place"),
    (
        {"tickets__pseudonymise_after": "6 months", "tickets__fields": ["client_address"]},
        "Subject and IP address are then deleted from it.",
    ),
    ({"metrics__file": "/run/tamis/tamis.prom"}, "Counts of all mail together"),
    # Who sees it, what leaves, and rights.
    ({}, "No authority: the filter is set up to disclose nothing."),
    ({"legal__jurisdictions": ["FR", "BE"]}, "Authorities of BE and FR, and only on an order"),
    ({}, "Nothing. The filter opens no connection to another machine."),
    (
        {"store__url": "postgresql+psycopg://tamis:hunter2@192.0.2.9/tamis"},
        "- inet:192.0.2.9:5432: settings, accounts and the records above",
    ),
    ({"antivirus__clamd": "inet:clamd.example.org:3310"}, "- name server: questions for the addresses"),
    ({"notices__smtp": "inet:192.0.2.25:25"}, "- inet:192.0.2.25:25: notices to users about their accounts"),
    ({"notices__smtp": "inet:127.0.0.1:25"}, "You are told by mail when somebody else has changed"),
    (
        {"retention__preset": "mailo"},
        "- tickets and changes of settings: for the least time that stands above",
    ),
)
BY_DEFAULT = [sentence for chosen, sentence in SAID if not chosen]


@pytest.mark.parametrize(("chosen", "sentence"), SAID, ids=[sentence for _, sentence in SAID])
def test_it_is_said_where_it_is_so(chosen: Mapping[str, object], sentence: str) -> None:
    assert sentence in english(chosen)


@pytest.mark.parametrize("sentence", [sentence for chosen, sentence in SAID if chosen])
def test_it_is_not_said_where_it_is_not_so(sentence: str) -> None:
    assert sentence not in english({})


@pytest.mark.parametrize(
    ("written", "english", "french"),
    [
        ("1 year", "1 year", "1 an"),
        ("24 months", "2 years", "2 ans"),
        ("13 months", "13 months", "13 mois"),
        ("395d", "395 days", "395 jours"),
        ("1h", "1 hour", "1 heure"),
        ("90m", "90 minutes", "90 minutes"),
        ("61s", "61 seconds", "61 secondes"),
    ],
)
def test_periods_are_said_in_words(written: str, english: str, french: str) -> None:
    assert Speech("en").period(written) == english
    assert Speech("fr").period(written) == french


def test_what_has_no_folder_to_go_to_is_said_to_be_marked() -> None:
    chosen = {"users__defaults": {"antispam.action": "file"}, "mail__recipient_delimiter": ""}

    assert "Spam is marked in its header." in english(chosen)


def test_many_domains_are_counted() -> None:
    domains = [f"{number}.example.org" for number in range(40)]

    assert "0.example.org, 1.example.org" in english({"mail__domains": domains})
    assert "and 29 others. It is written" in english({"mail__domains": domains})


def test_the_date_is_that_from_which_the_terms_hold() -> None:
    given = terms()

    assert "In force since 23 November 2026." in statement(given, "en", since=NOON, now=NOON)
    assert "En vigueur depuis le 23 novembre 2026." in statement(given, "fr", since=NOON, now=NOON)
    assert "As of 23 November 2026." in statement(given, "en", since=None, now=NOON)


@pytest.mark.parametrize("language", languages())
def test_the_pages_with_the_shipped_configuration_s_notice_are_current(language: str) -> None:
    shipped = configuration.load(str(ROOT / "conf" / "tamis.toml"))

    page = (ROOT / "docs" / f"policy.{language}.md").read_text(encoding="utf-8")

    # To renew them: tamis policy --config conf/tamis.toml --language LANGUAGE, with this date in its place.
    assert page == statement(Terms.of(shipped), language, since=None, now=NOON)
