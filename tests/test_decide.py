"""What one recipient is due: verdicts, header fields and folders, to the letter."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.examples import (
    GUESSED,
    INFECTED,
    LIST,
    NEWSLETTER,
    SCANNER_AWAY,
    SPAM,
    UNSCANNABLE,
    authenticated,
    config,
    findings,
    member,
)

from tamis.config import Config
from tamis.decision import Decision
from tamis.finding import (
    Authentication,
    FailedCheck,
    Findings,
    Graymail,
    GraymailFinding,
    SpamFinding,
    Unsubscribe,
    VirusFinding,
    VirusStatus,
)
from tamis.message import Recipient
from tamis.policy import decide as module
from tamis.preferences import Member, Preferences, SenderLists, Treatment
from tamis.ticket import Action

DEFAULTS = Preferences()
FILE, NONE = Treatment.FILE, Treatment.NONE
ALLOWING = (SenderLists(allowed=("friend@example.net",)),)
BLOCKING = (SenderLists(blocked=("@example.net",)),)


def decide(
    found: Findings,
    wishes: Preferences = DEFAULTS,
    site: Config | None = None,
    who: Member | None = None,
) -> Decision:
    one = who or member()
    return module.decide(Recipient(one.address), replace(one, preferences=wishes), found, site or config())


def fields(decision: Decision) -> list[str]:
    return [f"{one.name}: {one.value}" for one in decision.fields]


def test_clean_mail_is_delivered_without_a_field() -> None:
    decision = decide(findings())

    assert decision.action is Action.DELIVER
    assert fields(decision) == []
    assert (decision.antivirus, decision.antispam, decision.graymail) == ("clean", "ham", "none")


def test_with_on_clean_clean_mail_says_so() -> None:
    decision = decide(findings(), site=config(headers__on_clean=True))

    assert decision.action is Action.DELIVER
    assert fields(decision) == [
        "X-Virus-Scanned: Tamis",
        "X-Virus-Status: Clean",
        "X-Spam-Score: -2.5",
        "X-Spam-Status: No, score=-2.5 required=5.0 tests=PLAIN_TEXT",
    ]


def test_with_everything_off_nothing_is_found() -> None:
    found = findings(antivirus=INFECTED, antispam=SPAM, graymail=NEWSLETTER)
    decision = decide(found, Preferences(antivirus=False, antispam=False, graymail=False))

    assert decision.action is Action.DELIVER
    assert fields(decision) == []
    assert (decision.antivirus, decision.antispam, decision.graymail) == ("off", "off", "off")
    assert (decision.score, decision.reasons, decision.malware) == (None, None, None)


def test_malware_is_refused() -> None:
    decision = decide(findings(antivirus=INFECTED))

    assert decision.action is Action.REFUSE
    assert (decision.antivirus, decision.malware) == ("infected", "Eicar-Test-Signature")


@pytest.mark.parametrize(
    ("choice", "action", "word"),
    [
        ("mark", Action.MARK, "infected"),
        ("refuse", Action.REFUSE, "infected"),
        ("pass", Action.DELIVER, "clean"),
    ],
)
def test_a_guess_of_the_scanner_is_the_operators_choice(choice: str, action: Action, word: str) -> None:
    decision = decide(findings(antivirus=GUESSED), site=config(antivirus__heuristics=choice))

    assert (decision.action, decision.antivirus) == (action, word)
    if choice == "mark":
        assert "X-Virus-Status: Infected (Heuristics.Phishing.Email)" in fields(decision)


@pytest.mark.parametrize(
    ("choice", "action", "expected"),
    [
        ("pass", Action.DELIVER, []),
        ("mark", Action.MARK, ["X-Virus-Scanned: Tamis", "X-Virus-Status: Error"]),
        ("refuse", Action.REFUSE, ["X-Virus-Scanned: Tamis", "X-Virus-Status: Error"]),
    ],
)
def test_what_cannot_be_scanned_is_the_operators_choice(
    choice: str, action: Action, expected: list[str]
) -> None:
    decision = decide(findings(antivirus=UNSCANNABLE), site=config(antivirus__on_unscannable=choice))

    assert (decision.action, decision.antivirus, fields(decision)) == (action, "error", expected)


def test_an_encrypted_archive_is_no_guess_to_let_pass() -> None:
    encrypted = VirusFinding(VirusStatus.UNSCANNABLE, "Heuristics.Encrypted.Zip")
    site = config(antivirus__heuristics="pass", antivirus__on_unscannable="refuse")

    assert decide(findings(antivirus=encrypted), site=site).action is Action.REFUSE


@pytest.mark.parametrize(
    ("choice", "action", "expected"),
    [
        ("tempfail", Action.TEMPFAIL, []),
        ("pass", Action.MARK, ["X-Virus-Scanned: Tamis", "X-Virus-Status: Error"]),
    ],
)
def test_a_scanner_that_is_away_is_the_operators_choice(
    choice: str, action: Action, expected: list[str]
) -> None:
    decision = decide(findings(antivirus=SCANNER_AWAY), site=config(antivirus__on_error=choice))

    assert (decision.action, decision.antivirus, fields(decision)) == (action, "error", expected)


def test_spam_is_marked_in_the_grammar_of_spamassassin() -> None:
    decision = decide(findings(antispam=SpamFinding(7.3, ("LINK_TEXT_MISMATCH", "SUBJECT_ALL_CAPS"))))

    assert decision.action is Action.MARK
    assert (decision.antispam, decision.score) == ("spam", 7.3)
    assert fields(decision) == [
        "X-Spam-Flag: YES",
        "X-Spam-Score: 7.3",
        "X-Spam-Level: *******",
        "X-Spam-Status: Yes, score=7.3 required=5.0 tests=LINK_TEXT_MISMATCH,SUBJECT_ALL_CAPS",
    ]


@pytest.mark.parametrize(("score", "word"), [(4.9, "ham"), (5.0, "spam"), (5.1, "spam")])
def test_spam_begins_at_the_threshold(score: float, word: str) -> None:
    assert decide(findings(antispam=SpamFinding(score))).antispam == word


def test_the_threshold_is_the_recipients() -> None:
    decision = decide(findings(antispam=SpamFinding(4.0)), Preferences(spam_mark=3.5))

    assert decision.antispam == "spam"
    assert fields(decision)[-1] == "X-Spam-Status: Yes, score=4.0 required=3.5 tests=none"


@pytest.mark.parametrize(
    ("score", "stars"), [(0.9, None), (1.0, 1), (1.9, 1), (7.3, 7), (50.0, 50), (1000.0, 50), (-3.0, None)]
)
def test_the_level_has_a_star_per_full_point(score: float, stars: int | None) -> None:
    decision = decide(findings(antispam=SpamFinding(score)), site=config(headers__on_clean=True))

    levels = [one.value for one in decision.fields if one.name == "X-Spam-Level"]
    assert levels == ([] if stars is None else ["*" * stars])


@pytest.mark.parametrize(
    ("treatment", "action", "folder", "marked"),
    [
        (Treatment.MARK, Action.MARK, None, True),
        (FILE, Action.FILE, "junk", True),
        (NONE, Action.DELIVER, None, False),
    ],
)
def test_spam_is_treated_as_its_recipient_says(
    treatment: Treatment, action: Action, folder: str | None, marked: bool
) -> None:
    decision = decide(findings(antispam=SPAM), Preferences(spam=treatment))

    assert (decision.action, decision.folder, bool(decision.fields)) == (action, folder, marked)
    assert (decision.antispam, decision.score, decision.reasons) == ("spam", 7.3, ("LINK_TEXT_MISMATCH",))


def test_none_hides_ham_too() -> None:
    decision = decide(findings(), Preferences(spam=NONE, antivirus=False), config(headers__on_clean=True))

    assert fields(decision) == []


@pytest.mark.parametrize(("refuse", "action"), [(0, Action.MARK), (7.4, Action.MARK), (7.3, Action.REFUSE)])
def test_spam_is_refused_only_where_the_operator_says_so(refuse: float, action: Action) -> None:
    assert decide(findings(antispam=SPAM), site=config(antispam__refuse=refuse)).action is action


@pytest.mark.parametrize(
    "who",
    [
        member("carol@example.net"),
        Member("carol@example.net", DEFAULTS, False, "carol@example.net"),
        Member(None, Preferences(), True, "ghost@example.org"),
    ],
)
def test_without_a_place_to_file_spam_is_marked(who: Member) -> None:
    decision = decide(findings(antispam=SPAM), Preferences(spam=FILE), who=who)

    assert (decision.action, decision.folder) == (Action.MARK, None)
    assert "X-Spam-Flag: YES" in fields(decision)


def test_without_a_delimiter_spam_is_marked() -> None:
    decision = decide(findings(antispam=SPAM), Preferences(spam=FILE), config(mail__recipient_delimiter=""))

    assert decision.action is Action.MARK


def test_folders_have_the_operators_names() -> None:
    decision = decide(findings(antispam=SPAM), Preferences(spam=FILE), config(filing__spam="Spam"))

    assert decision.folder == "Spam"


@pytest.mark.parametrize(("choice", "action"), [("pass", Action.DELIVER), ("tempfail", Action.TEMPFAIL)])
@pytest.mark.parametrize("name", ["antispam", "graymail"])
def test_a_failed_check_is_an_error_without_a_field(name: str, choice: str, action: Action) -> None:
    site = config(**{f"{name}__on_error": choice, "headers__on_clean": True})
    failed = {"antispam": findings(antispam=FailedCheck()), "graymail": findings(graymail=FailedCheck())}

    decision = decide(failed[name], Preferences(antivirus=False), site)

    assert decision.action is action
    assert getattr(decision, name) == "error"
    assert not any(one.filter == name for one in decision.fields)


@pytest.mark.parametrize(
    ("finding", "value"),
    [
        (NEWSLETTER, "newsletter; confidence=0.97; unsubscribe=one-click"),
        (LIST, "list; confidence=1.00; unsubscribe=mailto"),
        (
            GraymailFinding(Graymail.SOCIAL, 0.5, False, Unsubscribe.HTTP),
            "social; confidence=0.50; unsubscribe=http",
        ),
        (GraymailFinding(Graymail.SOCIAL, 0.996), "social; confidence=1.00; unsubscribe=none"),
    ],
)
def test_a_class_is_marked(finding: GraymailFinding, value: str) -> None:
    decision = decide(findings(graymail=finding))

    assert decision.action is Action.MARK
    assert fields(decision) == [f"X-Graymail: {value}"]
    assert decision.graymail == finding.graymail.value


@pytest.mark.parametrize(
    ("graymail", "folder"),
    [(Graymail.NEWSLETTER, "newsletters"), (Graymail.SOCIAL, "social"), (Graymail.LIST, "lists")],
)
def test_a_class_that_fields_decide_is_filed_where_its_recipient_says(
    graymail: Graymail, folder: str
) -> None:
    finding = GraymailFinding(graymail, 1.0, certain=True)

    decision = decide(findings(graymail=finding), Preferences(newsletter=FILE, social=FILE, list=FILE))

    assert (decision.action, decision.folder) == (Action.FILE, folder)
    assert decision.fields


@pytest.mark.parametrize(("confidence", "certain"), [(0.99, False), (0.89, True)])
def test_a_class_that_only_the_model_decides_is_never_filed(confidence: float, certain: bool) -> None:
    finding = GraymailFinding(Graymail.NEWSLETTER, confidence, certain)

    assert decide(findings(graymail=finding), Preferences(newsletter=FILE)).action is Action.MARK


def test_a_class_without_action_is_ticketed_only() -> None:
    decision = decide(findings(graymail=NEWSLETTER), Preferences(newsletter=NONE))

    assert (decision.action, decision.graymail, fields(decision)) == (Action.DELIVER, "newsletter", [])


def test_what_is_spam_gets_no_class() -> None:
    decision = decide(findings(antispam=SPAM, graymail=NEWSLETTER), Preferences(newsletter=FILE))

    assert (decision.action, decision.graymail) == (Action.MARK, "none")
    assert not any(one.name == "X-Graymail" for one in decision.fields)


def test_what_would_be_spam_gets_its_class_where_antispam_is_off() -> None:
    decision = decide(findings(antispam=SPAM, graymail=NEWSLETTER), Preferences(antispam=False))

    assert (decision.antispam, decision.graymail) == ("off", "newsletter")


def test_a_blocked_sender_is_spam_by_the_recipients_own_action() -> None:
    wishes = Preferences(senders=BLOCKING, spam=FILE)

    decision = decide(findings(), wishes, config(antispam__refuse=6.0))

    assert (decision.action, decision.antispam, decision.score) == (Action.FILE, "spam", 100.0)
    assert decision.reasons == ("SENDER_BLOCKED",)
    assert "X-Spam-Status: Yes, score=100.0 required=5.0 tests=SENDER_BLOCKED" in fields(decision)


def test_a_blocked_sender_is_spam_even_if_the_check_fails() -> None:
    assert decide(findings(antispam=FailedCheck()), Preferences(senders=BLOCKING)).antispam == "spam"


def test_a_proven_allowed_sender_is_ham() -> None:
    found = findings(antispam=SPAM, sender=authenticated(Authentication.PASSED))

    decision = decide(found, Preferences(senders=ALLOWING))

    assert (decision.action, decision.antispam, decision.score) == (Action.DELIVER, "ham", -100.0)
    assert decision.reasons == ("SENDER_ALLOWED",)


def test_a_forged_allowed_sender_gets_nothing_and_a_reason() -> None:
    found = findings(antispam=SPAM, sender=authenticated(Authentication.FAILED))

    decision = decide(found, Preferences(senders=ALLOWING))

    assert (decision.antispam, decision.score) == ("spam", 7.3)
    assert decision.reasons == ("LINK_TEXT_MISMATCH", "SENDER_UNVERIFIED")


def test_an_allowed_sender_of_whom_nothing_is_known_has_five_bits_less() -> None:
    finding = SpamFinding(7.1, ("LINK_TEXT_MISMATCH",))
    found = findings(antispam=finding, sender=authenticated(Authentication.UNKNOWN))

    decision = decide(found, Preferences(senders=ALLOWING))

    assert (decision.antispam, decision.score) == ("ham", 2.1)
    assert decision.reasons == ("LINK_TEXT_MISMATCH", "SENDER_ALLOWED")


def test_sender_lists_are_without_effect_where_antispam_is_off() -> None:
    decision = decide(findings(), Preferences(antispam=False, senders=BLOCKING))

    assert (decision.action, decision.antispam) == (Action.DELIVER, "off")


def test_an_allowed_sender_of_malware_is_refused() -> None:
    found = findings(antivirus=INFECTED, sender=authenticated(Authentication.PASSED))

    assert decide(found, Preferences(senders=ALLOWING)).action is Action.REFUSE


@pytest.mark.parametrize("graymail", [GraymailFinding(Graymail.NONE), LIST, FailedCheck()])
def test_a_declared_newsletter_is_one_for_certain(graymail: GraymailFinding | FailedCheck) -> None:
    wishes = Preferences(newsletter=FILE, senders=(SenderLists(newsletter=("@example.net",)),))

    decision = decide(findings(graymail=graymail), wishes)

    assert (decision.action, decision.folder, decision.graymail) == (Action.FILE, "newsletters", "newsletter")
    assert fields(decision)[0].startswith("X-Graymail: newsletter; confidence=1.00; unsubscribe=")


def test_a_declared_newsletter_is_none_where_graymail_is_off() -> None:
    wishes = Preferences(graymail=False, senders=(SenderLists(newsletter=("@example.net",)),))

    assert decide(findings(), wishes).graymail == "off"


def test_a_tempfail_comes_before_everything() -> None:
    found = findings(antivirus=SCANNER_AWAY, antispam=SPAM)

    assert decide(found, site=config(antispam__refuse=6.0)).action is Action.TEMPFAIL


def test_the_spam_folder_comes_before_the_guess_of_the_scanner() -> None:
    decision = decide(findings(antivirus=GUESSED, antispam=SPAM), Preferences(spam=FILE))

    assert (decision.action, decision.folder) == (Action.FILE, "junk")
    assert fields(decision)[:2] == [
        "X-Virus-Scanned: Tamis",
        "X-Virus-Status: Infected (Heuristics.Phishing.Email)",
    ]
