"""What became of a message, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tamis.checks.antispam import CONTENT
from tamis.checks.rules.catalogue import RULES
from tamis.config import Config, Filing
from tamis.desk.own_mail import Object, Seen
from tamis.options.language import Language
from tamis.policy.decide import ALLOWED_SCORE
from tamis.retention.fields import Field
from tamis.store.pseudonyms import is_pseudonym
from tamis.ticket import Action, time_of
from tamis.words.catalogue import text

# What was done, on one line.
BRIEFLY: Mapping[str, str] = {
    Action.DELIVER: text("Delivered"),
    Action.MARK: text("Delivered and marked"),
    Action.FILE: text("Put into the folder {folder}"),
    Action.REFUSE: text("Refused"),
    Action.DISCARD: text("Kept from you"),
    Action.TEMPFAIL: text("Put off"),
}
BRIEFLY_SENT: Mapping[str, str] = {
    Action.DELIVER: text("Sent"),
    Action.REFUSE: text("Not sent: refused"),
    Action.TEMPFAIL: text("Not sent yet: put off"),
}
WATCHED = text("Delivered as it was; the filters only watched")
WATCHED_SENT = text("Sent as it was; the filters only watched")
# And what that means.
DONE: Mapping[str, str] = {
    Action.DELIVER: text("It was delivered."),
    Action.MARK: text("It was delivered, and its header says what was found."),
    Action.FILE: text("It was put into your folder {folder}, and its header says what was found."),
    Action.REFUSE: text("It was refused, and its sender was told."),
    Action.DISCARD: text("It was kept from you because of malware. Its sender was not told."),
    Action.TEMPFAIL: text(
        "It could not be taken at that moment. The sending server was told to try again, as servers do by "
        "themselves; what came of that is an entry of its own."
    ),
}
DONE_SENT: Mapping[str, str] = {
    Action.DELIVER: text("It was sent on to its recipients."),
    Action.REFUSE: text("It was refused and reached nobody. Your mail program was told at once."),
    Action.TEMPFAIL: text(
        "It could not be sent at that moment. Your mail program was told, and may try again; what came of "
        "that is an entry of its own."
    ),
}

# What was found, on one line.
TAGS: Mapping[str, str] = {
    "infected": text("Malware"),
    "spam": text("Spam"),
    "newsletter": text("Newsletter"),
    "social": text("Social network"),
    "list": text("Mailing list"),
}

OFF = text("Off: this filter did not look at the message.")
OFF_SENT = text("Off: your provider has this check switched off.")
ANTIVIRUS: Mapping[str, str] = {
    "clean": text("No malware was found."),
    "infected": text("Malware was found: {malware}."),
    "error": text(
        "It could not be looked through: the scanner was away, or the message was too large, locked or "
        "damaged."
    ),
}
GRAYMAIL: Mapping[str, str] = {
    "newsletter": text("A newsletter."),
    "social": text("A notice of a social network."),
    "list": text("Mail of a mailing list."),
    "none": text("Neither a newsletter, nor a notice of a social network, nor mail of a mailing list."),
    "error": text("It could not be looked at for that."),
}
NO_CLASS_OF_SPAM = text("Spam is not sorted any further.")
ANTISPAM_ERROR = text("It could not be judged.")
BLOCKED = text("Spam, as the sender is on a list of blocked senders.")
ALLOWED = text("Not spam, as the sender is on a list of senders that are always allowed.")
POINTS: Mapping[str, str] = {
    "spam": text("Spam: {points} points."),
    "ham": text("Not spam: {points} points."),
}
POINTS_OF: Mapping[str, str] = {
    "spam": text("Spam: {points} points, and for you spam began at {threshold}."),
    "ham": text("Not spam: {points} points, and for you spam began at {threshold}."),
}
REFUSED_FROM = text("Your provider does not let mail leave from {threshold} points on.")

# Reasons that are no rules.
REASONS: Mapping[str, str] = {
    CONTENT: text("Its words and its form, compared with much other mail, good and bad."),
    "GTUBE": text("It holds the line by which spam filters are tested."),
    "SENDER_BLOCKED": text("The sender is on a list of blocked senders."),
    "SENDER_ALLOWED": text("The sender is on a list of senders that are always allowed."),
    "SENDER_UNVERIFIED": text("The sender is on a list of allowed senders, but the address is forged."),
}

NO_SENDER = text("A mail server's notice")
HIDDEN = text("A sender who is no longer known")
HIDDEN_RECIPIENT = text("a recipient who is no longer known")
TO = text("To {address}")
TO_MORE = text("To {address} and {number} more")
TO_NOBODY = text("To nobody who is known")


@dataclass(frozen=True, slots=True)
class Line:
    """A ticket in the list."""

    id: str
    day: str
    minute: str
    who: Markup
    subject: str  # "" where tickets do not hold it
    done: Markup
    tags: Sequence[Markup]


@dataclass(frozen=True, slots=True)
class Said:
    """What one filter, or check, has found."""

    title: Markup
    words: Markup


@dataclass(frozen=True, slots=True)
class Copy:
    """What was done with one copy of a message, and what was found in it."""

    address: str  # that it came to; "" of the one that was sent
    done: Markup
    found: Sequence[Said]
    reasons: Sequence[Markup]


class Told:
    """Tells of tickets in one language."""

    def __init__(self, language: Language, config: Config) -> None:
        self._language = language
        self._config = config

    def line(self, seen: Seen) -> Line:
        """Return a ticket's line."""
        time = time_of(seen.ticket["id"])
        done = [self._briefly(one) for one in seen.own]
        if seen.only_watched:
            done = [self._say(WATCHED_SENT if seen.is_sent else WATCHED)]
        elif seen.is_sent:
            done.insert(0, self._say(BRIEFLY_SENT[seen.answer]))
        checked = [*seen.own, *([seen.ticket["outgoing"]] if "outgoing" in seen.ticket else [])]
        words = (one[name] for one in checked for name in ("antivirus", "antispam", "graymail"))
        return Line(
            seen.ticket["id"],
            self._language.day(time),
            self._language.minute(time),
            self.to(seen) if seen.is_sent else self.sender(seen),
            seen.ticket.get(Field.SUBJECT) or "",
            Markup(" · ").join(dict.fromkeys(done)),
            [self._say(TAGS[word]) for word in dict.fromkeys(words) if word in TAGS],
        )

    def sender(self, seen: Seen) -> Markup:
        """Return who has sent a message."""
        address = seen.ticket["sender"]
        if not address:
            return self._say(NO_SENDER)
        return self._say(HIDDEN) if is_pseudonym(address) else Markup.escape(address)

    def to(self, seen: Seen) -> Markup:
        """Return to whom a message was sent, in short."""
        addresses = [one["address"] for one in seen.ticket["recipients"]]
        if not addresses:
            return self._say(TO_NOBODY)
        first = self._say(HIDDEN_RECIPIENT) if is_pseudonym(addresses[0]) else addresses[0]
        if len(addresses) == 1:
            return self._say(TO, address=first)
        return self._say(TO_MORE, address=first, number=len(addresses) - 1)

    def recipients(self, seen: Seen) -> Sequence[str]:
        """Return to whom a message was sent, those who are still known."""
        addresses = (one["address"] for one in seen.ticket["recipients"])
        return [one for one in addresses if not is_pseudonym(one)]

    def facts(self, seen: Seen) -> Mapping[Markup, str]:
        """Return what else is known of a message."""
        ticket = seen.ticket
        found = {}
        if ticket.get(Field.SUBJECT):
            found[self._say(text("Subject"))] = ticket[Field.SUBJECT]
        if ticket.get(Field.SIZE):
            found[self._say(text("Size"))] = self._say(text("{size} kB"), size=-(-ticket[Field.SIZE] // 1000))
        if ticket.get(Field.CLIENT_ADDRESS):
            found[self._say(text("Address of the computer that it came from"))] = ticket[Field.CLIENT_ADDRESS]
        if ticket["message_id"] and not is_pseudonym(ticket["message_id"].strip("<>")):
            found[self._say(text("Message-ID"))] = ticket["message_id"]
        found[self._say(text("Number of this entry"))] = ticket["id"]
        return found

    def copies(self, seen: Seen, threshold: float | None) -> Sequence[Copy]:
        """Return what became of a message that came; the threshold is the one that held for it."""
        return [self._copy(one, threshold) for one in seen.own]

    def sent(self, seen: Seen) -> Copy:
        """Return what became of a message that was sent."""
        checks = seen.ticket.get("outgoing", {})
        found = [Said(self._say(text("Antivirus")), self._antivirus(checks, OFF_SENT))] if checks else []
        if checks:
            found.append(Said(self._say(text("Antispam")), self._outgoing_antispam(checks)))
            found.append(Said(self._say(text("Graymail")), self._graymail(checks, OFF_SENT)))
        return Copy("", self._say(DONE_SENT[seen.answer]), found, self._reasons(checks))

    def _copy(self, one: Object, threshold: float | None) -> Copy:
        done = self._say(DONE[one["action"]], folder=_folder(one, self._config.filing))
        found = (
            Said(self._say(text("Antivirus")), self._antivirus(one, OFF)),
            Said(self._say(text("Antispam")), self._antispam(one, threshold)),
            Said(self._say(text("Graymail")), self._graymail(one, OFF)),
        )
        address = "" if is_pseudonym(one["address"]) else one["address"]
        return Copy(address, done, found, self._reasons(one))

    def _briefly(self, one: Object) -> Markup:
        return self._say(BRIEFLY[one["action"]], folder=_folder(one, self._config.filing))

    def _antivirus(self, one: Object, off: str) -> Markup:
        return self._say(ANTIVIRUS.get(one["antivirus"], off), malware=one.get("malware", ""))

    def _antispam(self, one: Object, threshold: float | None) -> Markup:
        word = one["antispam"]
        if word not in POINTS:
            return self._say(ANTISPAM_ERROR if word == "error" else OFF)
        score = one["score"]
        if "SENDER_BLOCKED" in one["reasons"]:
            return self._say(BLOCKED)
        if score == ALLOWED_SCORE and "SENDER_ALLOWED" in one["reasons"]:
            return self._say(ALLOWED)
        points = self._language.tenths(score)
        if threshold is None or (score >= threshold) != (word == "spam"):  # which held is not on record
            return self._say(POINTS[word], points=points)
        return self._say(POINTS_OF[word], points=points, threshold=self._language.tenths(threshold))

    def _outgoing_antispam(self, checks: Object) -> Markup:
        word = checks["antispam"]
        if word not in POINTS:
            return self._say(ANTISPAM_ERROR if word == "error" else OFF_SENT)
        points = self._say(POINTS[word], points=self._language.tenths(checks["score"]))
        limit = self._language.tenths(self._config.outgoing.spam_refuse)
        return points + Markup(" ") + self._say(REFUSED_FROM, threshold=limit)

    def _graymail(self, one: Object, off: str) -> Markup:
        if one["antispam"] == "spam" and one["graymail"] == "none":
            return self._say(NO_CLASS_OF_SPAM)
        return self._say(GRAYMAIL.get(one["graymail"], off))

    def _reasons(self, one: Object) -> Sequence[Markup]:
        return [self._reason(name) for name in one.get("reasons", ())]

    def _reason(self, name: str) -> Markup:
        if name in RULES:
            return self._say(RULES[name].about)
        return self._say(REASONS[name]) if name in REASONS else Markup.escape(name)

    def _say(self, english: str, **values: object) -> Markup:
        return self._language.say(english, **values)


def _folder(one: Object, filing: Filing) -> str:
    folders = {"newsletter": filing.newsletter, "social": filing.social, "list": filing.list}
    return filing.spam if one["antispam"] == "spam" else folders.get(one["graymail"], filing.spam)
