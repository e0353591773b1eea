"""One recipient's decision: facts and his preferences in, what he is due out."""

from __future__ import annotations

from dataclasses import replace

from tamis.config import Config
from tamis.decision import Decision, Field
from tamis.finding import (
    Authentication,
    FailedCheck,
    Filter,
    Findings,
    Graymail,
    GraymailFinding,
    Unsubscribe,
    VirusFinding,
    VirusStatus,
)
from tamis.message import Recipient
from tamis.policy.senders import Standing, declared, standing
from tamis.preferences import Member, Preferences, Treatment
from tamis.ticket import Action
from tamis.values import dataclass

ALLOWED_SCORE = -100.0  # bits
BLOCKED_SCORE = 100.0  # bits
UNPROVEN_BONUS = 5.0  # bits off for an allowed sender of whom nothing is authenticated
FILING_CONFIDENCE = 0.9  # below it a class is never filed
MAX_STARS = 50  # X-Spam-Level, as SpamAssassin does

SEVERITY = (Action.DELIVER, Action.MARK, Action.FILE, Action.REFUSE, Action.TEMPFAIL)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one filter says for one recipient."""

    word: str  # the ticket's
    action: Action = Action.DELIVER
    fields: tuple[Field, ...] = ()
    folder: str | None = None
    malware: str | None = None
    score: float | None = None
    reasons: tuple[str, ...] | None = None


OFF = Verdict("off")


def decide(recipient: Recipient, member: Member, findings: Findings, config: Config) -> Decision:
    """Return what a member behind a recipient is due on incoming treatment."""
    wishes = member.preferences
    antivirus = judge_virus(findings.antivirus, config) if wishes.antivirus else OFF
    antispam = _judge_spam(findings, wishes, config) if wishes.antispam else OFF
    graymail = OFF
    if wishes.graymail:
        graymail = _judge_graymail(findings, wishes, config, is_spam=antispam.word == "spam")
    verdicts = (antivirus, antispam, graymail)
    action = max((verdict.action for verdict in verdicts), key=SEVERITY.index)
    decision = Decision(
        recipient=recipient,
        account=member.account,
        local=member.local,
        action=action,
        antivirus=antivirus.word,
        antispam=antispam.word,
        graymail=graymail.word,
        fields=antivirus.fields + antispam.fields + graymail.fields,
        folder=antispam.folder or graymail.folder,
        refused_for=_refused_for(antivirus, antispam),
        address=member.reached or member.account or member.address,
        malware=antivirus.malware,
        score=antispam.score,
        reasons=antispam.reasons,
    )
    if action is Action.FILE and not can_file(decision, config.mail.recipient_delimiter):
        return replace(decision, action=Action.MARK, folder=None)
    return decision


def outside(recipient: Recipient, member: Member) -> Decision:
    """Return the decision for an external recipient of outgoing mail: every filter off."""
    return Decision(
        recipient=recipient,
        account=member.account,
        local=False,
        action=Action.DELIVER,
        antivirus=OFF.word,
        antispam=OFF.word,
        graymail=OFF.word,
        address=member.reached or member.account or member.address,
    )


def _refused_for(antivirus: Verdict, antispam: Verdict) -> Filter | None:
    if antivirus.action is Action.REFUSE:
        return Filter.ANTIVIRUS
    return Filter.ANTISPAM if antispam.action is Action.REFUSE else None


def can_file(decision: Decision, delimiter: str) -> bool:
    """Tell whether there is a +detail address for this recipient."""
    return bool(delimiter) and decision.local and decision.account is not None


def judge_virus(finding: VirusFinding | None, config: Config) -> Verdict:
    """Return the antivirus filter's verdict, the same for all who have it on."""
    settings = config.antivirus
    status = finding.status if finding is not None else VirusStatus.ERROR
    malware = finding.malware if finding is not None else None
    heuristic = finding is not None and finding.heuristic
    if status is VirusStatus.INFECTED and heuristic and settings.heuristics == "pass":
        status = VirusStatus.CLEAN
    match status:
        case VirusStatus.CLEAN:
            fields = _virus_fields("Clean") if config.headers.on_clean else ()
            return Verdict("clean", fields=fields)
        case VirusStatus.INFECTED:
            refuse = not heuristic or settings.heuristics == "refuse"
            malware = malware or "unknown"
            fields = _virus_fields(f"Infected ({malware})")
            action = Action.REFUSE if refuse else Action.MARK
            return Verdict("infected", action, fields, malware=malware)
        case VirusStatus.UNSCANNABLE:
            return _unscannable(config)
        case VirusStatus.ERROR:
            if settings.on_error == "tempfail":
                return Verdict("error", Action.TEMPFAIL)
            return Verdict("error", Action.MARK, _virus_fields("Error"))


def _unscannable(config: Config) -> Verdict:
    match config.antivirus.on_unscannable:
        case "pass":
            return Verdict("error", fields=_virus_fields("Error") if config.headers.on_clean else ())
        case "mark":
            return Verdict("error", Action.MARK, _virus_fields("Error"))
        case "refuse":
            return Verdict("error", Action.REFUSE, _virus_fields("Error"))


def _virus_fields(status: str) -> tuple[Field, ...]:
    return (
        Field("X-Virus-Scanned", "Tamis", Filter.ANTIVIRUS),
        Field("X-Virus-Status", status, Filter.ANTIVIRUS),
    )


def _judge_spam(findings: Findings, wishes: Preferences, config: Config) -> Verdict:
    finding = findings.antispam
    listed = standing(wishes.senders, findings.sender)
    if listed is Standing.BLOCKED:
        return _spam(BLOCKED_SCORE, ("SENDER_BLOCKED",), wishes, config, may_refuse=False)
    if listed is Standing.ALLOWED and findings.sender.authentication is Authentication.PASSED:
        return _ham(ALLOWED_SCORE, ("SENDER_ALLOWED",), wishes, config)
    if finding is None or isinstance(finding, FailedCheck):
        failed = Action.TEMPFAIL if config.antispam.on_error == "tempfail" else Action.DELIVER
        return Verdict("error", failed)
    score, reasons = finding.score, finding.reasons
    if listed is Standing.UNVERIFIED:
        reasons = (*reasons, "SENDER_UNVERIFIED")
    elif listed is Standing.ALLOWED:
        score, reasons = round(score - UNPROVEN_BONUS, 1) + 0.0, (*reasons, "SENDER_ALLOWED")
    if score >= wishes.spam_mark:
        return _spam(score, reasons, wishes, config, may_refuse=True)
    return _ham(score, reasons, wishes, config)


def _spam(
    score: float, reasons: tuple[str, ...], wishes: Preferences, config: Config, *, may_refuse: bool
) -> Verdict:
    fields = _spam_fields(score, reasons, wishes, flag=True)
    refuse = config.antispam.refuse
    if may_refuse and refuse and score >= refuse:
        return Verdict("spam", Action.REFUSE, fields, config.filing.spam, score=score, reasons=reasons)
    match wishes.spam:
        case Treatment.NONE:
            return Verdict("spam", score=score, reasons=reasons)
        case Treatment.MARK:
            return Verdict("spam", Action.MARK, fields, score=score, reasons=reasons)
        case Treatment.FILE:
            return Verdict("spam", Action.FILE, fields, config.filing.spam, score=score, reasons=reasons)


def _ham(score: float, reasons: tuple[str, ...], wishes: Preferences, config: Config) -> Verdict:
    shown = config.headers.on_clean and wishes.spam is not Treatment.NONE
    fields = _spam_fields(score, reasons, wishes, flag=False) if shown else ()
    return Verdict("ham", fields=fields, score=score, reasons=reasons)


def _spam_fields(
    score: float, reasons: tuple[str, ...], wishes: Preferences, *, flag: bool
) -> tuple[Field, ...]:
    """Return the fields in SpamAssassin's grammar, which clients and Sieve scripts read."""
    status = (
        f"{'Yes' if flag else 'No'}, score={score:.1f} required={wishes.spam_mark:.1f} "
        f"tests={','.join(reasons) or 'none'}"
    )
    pairs = [("X-Spam-Flag", "YES")] if flag else []
    pairs.append(("X-Spam-Score", f"{score:.1f}"))
    if score >= 1.0:
        pairs.append(("X-Spam-Level", "*" * min(int(score), MAX_STARS)))
    pairs.append(("X-Spam-Status", status))
    return tuple(Field(name, value, Filter.ANTISPAM) for name, value in pairs)


def _judge_graymail(findings: Findings, wishes: Preferences, config: Config, *, is_spam: bool) -> Verdict:
    finding = findings.graymail
    if is_spam:
        return Verdict(Graymail.NONE.value)
    if named := declared(wishes.senders, findings.sender):
        way_out = finding.unsubscribe if isinstance(finding, GraymailFinding) else Unsubscribe.NONE
        finding = GraymailFinding(named, certain=True, unsubscribe=way_out)
    if finding is None or isinstance(finding, FailedCheck):
        failed = Action.TEMPFAIL if config.graymail.on_error == "tempfail" else Action.DELIVER
        return Verdict("error", failed)
    match finding.graymail:
        case Graymail.NONE:
            return Verdict(Graymail.NONE.value)
        case Graymail.NEWSLETTER:
            return _gray(finding, wishes.newsletter, config.filing.newsletter)
        case Graymail.SOCIAL:
            return _gray(finding, wishes.social, config.filing.social)
        case Graymail.LIST:
            return _gray(finding, wishes.list, config.filing.list)


def _gray(finding: GraymailFinding, treatment: Treatment, folder: str) -> Verdict:
    value = (
        f"{finding.graymail.value}; confidence={finding.confidence:.2f}; "
        f"unsubscribe={finding.unsubscribe.value}"
    )
    fields = (Field("X-Graymail", value, Filter.GRAYMAIL),)
    may_file = finding.certain and finding.confidence >= FILING_CONFIDENCE
    match treatment:
        case Treatment.NONE:
            return Verdict(finding.graymail.value)
        case Treatment.FILE if may_file:
            return Verdict(finding.graymail.value, Action.FILE, fields, folder)
        case _:
            return Verdict(finding.graymail.value, Action.MARK, fields)
