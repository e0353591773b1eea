"""Outgoing mail: the operator's checks decide for the whole message, and mark nothing."""

from __future__ import annotations

import pytest
from tests.examples import (
    GUESSED,
    INFECTED,
    NEWSLETTER,
    NO_GRAYMAIL,
    SCANNER_AWAY,
    SPAM,
    UNSCANNABLE,
    config,
    findings,
    member,
    message,
)

from tamis.config import Config
from tamis.decision import Plan
from tamis.finding import FailedCheck, Filter, Findings, SpamFinding
from tamis.message import Recipient
from tamis.policy.allowed import allowed
from tamis.policy.combine import combine
from tamis.policy.decide import decide, outside
from tamis.policy.outgoing import decide_outgoing
from tamis.preferences import Preferences
from tamis.ticket import Action, Means

LOUD = SpamFinding(15.0, ("LINK_TEXT_MISMATCH",))
EXTERNAL = member("carol@example.net")


def plan(found: Findings, site: Config | None = None, wishes: Preferences | None = None) -> Plan:
    """Return the plan for Carol outside, and for Bob of ours if he is given wishes."""
    site = site or config()
    decisions = [outside(Recipient(EXTERNAL.address), EXTERNAL)]
    if wishes is not None:
        decisions.append(decide(Recipient("bob@example.org"), member(wishes=wishes), found, site))
    may = allowed(message(), site)
    return combine(decisions, may, ticket_id="01J0", outgoing=decide_outgoing(found, site))


def test_clean_mail_goes_out_unmarked() -> None:
    made = plan(findings())

    assert (made.reply, made.fields, made.means) == (None, (), Means.UNIFORM)
    assert made.outgoing is not None
    assert made.outgoing.as_json() == {
        "antivirus": "clean",
        "antispam": "ham",
        "score": -2.5,
        "graymail": "none",
        "reasons": ["PLAIN_TEXT"],
    }


def test_malware_is_refused_by_its_name() -> None:
    made = plan(findings(antivirus=INFECTED))

    assert str(made.reply) == "550 5.7.1 Message contains malware (Eicar-Test-Signature) [01J0]"
    assert [one.action for one in made.decisions] == [Action.REFUSE]
    assert [one.antivirus for one in made.decisions] == ["off"]
    assert made.outgoing is not None
    assert made.outgoing.as_json()["malware"] == "Eicar-Test-Signature"


@pytest.mark.parametrize(
    ("score", "word", "refused"),
    [(4.9, "ham", False), (5.0, "spam", False), (14.9, "spam", False), (15.0, "spam", True)],
)
def test_spam_is_refused_from_its_own_threshold_on(score: float, word: str, refused: bool) -> None:
    made = plan(findings(antispam=SpamFinding(score)))

    assert made.outgoing is not None
    assert made.outgoing.antispam == word
    assert (str(made.reply) == "550 5.7.1 Message refused as spam [01J0]") is refused
    assert made.fields == ()


@pytest.mark.parametrize(
    ("given", "word"), [(NEWSLETTER, "newsletter"), (NO_GRAYMAIL, "none"), (FailedCheck(), "error")]
)
def test_a_class_stands_in_the_ticket_and_nothing_is_done(given: object, word: str) -> None:
    made = plan(findings(graymail=given))  # type: ignore[arg-type]

    assert made.outgoing is not None
    assert (made.outgoing.graymail, made.reply, made.fields) == (word, None, ())


def test_what_is_refused_as_spam_is_called_spam() -> None:
    made = plan(findings(antispam=LOUD), config(antispam__mark=20.0))

    assert made.reply is not None
    assert made.outgoing is not None
    assert made.outgoing.antispam == "spam"


def test_what_is_spam_gets_no_class() -> None:
    made = plan(findings(antispam=SPAM, graymail=NEWSLETTER))

    assert made.outgoing is not None
    assert made.outgoing.graymail == "none"


@pytest.mark.parametrize(
    ("site", "found"),
    [
        (config(outgoing__antivirus=False), findings(antivirus=INFECTED)),
        (config(outgoing__antispam=False), findings(antispam=LOUD)),
        (config(outgoing__graymail=False), findings(graymail=NEWSLETTER)),
    ],
)
def test_what_the_operator_switched_off_is_off(site: Config, found: Findings) -> None:
    made = plan(found, site)

    assert made.reply is None
    assert made.outgoing is not None
    assert [getattr(made.outgoing, one.value) for one in Filter].count("off") == 1


@pytest.mark.parametrize(("choice", "code"), [("tempfail", "451"), ("pass", None)])
def test_a_scanner_that_is_away_is_the_operators_choice(choice: str, code: str | None) -> None:
    made = plan(findings(antivirus=SCANNER_AWAY), config(antivirus__on_error=choice))

    assert (made.reply.code if made.reply else None) == code
    assert made.outgoing is not None
    assert made.outgoing.antivirus == "error"


@pytest.mark.parametrize(("found", "code"), [(GUESSED, None), (UNSCANNABLE, None)])
def test_guesses_and_what_cannot_be_scanned_go_out_unmarked(found: object, code: str | None) -> None:
    made = plan(findings(antivirus=found))  # type: ignore[arg-type]

    assert (made.reply, made.fields) == (code, ())


def test_a_local_recipient_is_treated_by_his_own_preferences() -> None:
    found = findings(antispam=SPAM)

    made = plan(found, wishes=Preferences())

    assert [one.antispam for one in made.decisions] == ["off", "spam"]
    assert (made.means, made.fields) == (Means.COMMON, ())


def test_malware_that_the_operator_lets_out_does_not_reach_a_local_recipient_who_has_antivirus_on() -> None:
    made = plan(findings(antivirus=INFECTED), config(outgoing__antivirus=False), Preferences())

    assert [one.action for one in made.decisions] == [Action.DELIVER, Action.DISCARD]
    assert made.remove_recipients == ("bob@example.org",)


def test_a_refusal_of_the_operators_is_every_recipients() -> None:
    made = plan(findings(antispam=LOUD), wishes=Preferences(antispam=False))

    assert [one.action for one in made.decisions] == [Action.REFUSE, Action.REFUSE]
    assert made.reply is not None
    assert made.reply.code == "550"
