"""The operator's checks of outgoing mail: they decide for the whole message and mark nothing."""

from __future__ import annotations

from dataclasses import dataclass

from tamis.config import Config
from tamis.finding import FailedCheck, Filter, Findings, Graymail
from tamis.policy.decide import OFF, Verdict, judge_virus
from tamis.ticket import Action, OutgoingChecks


@dataclass(frozen=True, slots=True)
class OutgoingDecision:
    """What the operator's checks found, and whether they stop the message."""

    checks: OutgoingChecks
    action: Action  # deliver, refuse or tempfail
    refused_for: Filter | None = None


def decide_outgoing(findings: Findings, config: Config) -> OutgoingDecision:
    """Return the operator's decision for an outgoing message."""
    antivirus = judge_virus(findings.antivirus, config) if config.outgoing.antivirus else OFF
    antispam = _judge_spam(findings, config) if config.outgoing.antispam else OFF
    checks = OutgoingChecks(
        antivirus=antivirus.word,
        antispam=antispam.word,
        graymail=_graymail_word(findings, is_spam=antispam.word == "spam")
        if config.outgoing.graymail
        else "off",
        score=antispam.score,
        reasons=antispam.reasons,
        malware=antivirus.malware,
    )
    actions = (antivirus.action, antispam.action)
    if Action.TEMPFAIL in actions:
        return OutgoingDecision(checks, Action.TEMPFAIL)
    if antivirus.action is Action.REFUSE:
        return OutgoingDecision(checks, Action.REFUSE, Filter.ANTIVIRUS)
    if antispam.action is Action.REFUSE:
        return OutgoingDecision(checks, Action.REFUSE, Filter.ANTISPAM)
    return OutgoingDecision(checks, Action.DELIVER)


def _judge_spam(findings: Findings, config: Config) -> Verdict:
    finding = findings.antispam
    if finding is None or isinstance(finding, FailedCheck):
        failed = Action.TEMPFAIL if config.antispam.on_error == "tempfail" else Action.DELIVER
        return Verdict("error", failed)
    refused = finding.score >= config.outgoing.spam_refuse
    return Verdict(
        "spam" if refused or finding.score >= config.antispam.mark else "ham",
        Action.REFUSE if refused else Action.DELIVER,
        score=finding.score,
        reasons=finding.reasons,
    )


def _graymail_word(findings: Findings, *, is_spam: bool) -> str:
    finding = findings.graymail
    if finding is None or isinstance(finding, FailedCheck):
        return "error"
    return Graymail.NONE.value if is_spam else finding.graymail.value
