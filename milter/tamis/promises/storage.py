"""The notice's parts on what is kept and for how long, who sees it, what leaves the server, and on rights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tamis.promises.speech import Speech
from tamis.promises.terms import Bounds, Terms
from tamis.retention.classes import KINDS, Clock, RecordClass
from tamis.retention.fields import Field
from tamis.words.catalogue import text

SPANS = {
    # By clock, and whether there is a floor and a ceiling.
    (Clock.AGE, True, True): text("at least {floor} and at most {ceiling}"),
    (Clock.AGE, True, False): text("at least {floor}"),
    (Clock.AGE, False, True): text("at most {ceiling}"),
    (Clock.CLOSING, True, True): text("after the account is closed, at least {floor} and at most {ceiling}"),
    (Clock.CLOSING, True, False): text("after the account is closed, at least {floor}"),
    (Clock.CLOSING, False, True): text("after the account is closed, at most {ceiling}"),
    (Clock.SIGN_IN, False, True): text(
        "if nobody signs in to the account for {ceiling}, until {notice} after a warning"
    ),
}
FIELDS = {
    Field.SUBJECT: text("the subject (up to 200 characters of it; that is content)"),
    Field.CLIENT_ADDRESS: text("the IP address of the computer that delivered the message to us"),
    Field.SIZE: text("the size of the message"),
}
CARRIED = {
    # What the egress manifest says, and in words for users.
    "antivirus": text("messages that are to be searched for malware"),
    "store": text("settings, accounts and the records above"),
    "resend": text("copies of messages, to our mail server"),
    "imap": text("address and password of users who sign in to the filter's page, for the IMAP server"),
    "notices": text("notices to users about their accounts"),
    "dns": text("questions for the addresses of these servers"),
}


def sections(terms: Terms, say: Speech) -> Iterator[str]:
    """Return the paragraphs, headings among them."""
    yield f"## {say.gettext('What is kept, and for how long')}"
    yield say.gettext("The filter keeps these records:")
    yield "\n".join(_records(terms, say))
    yield " ".join(_limits(terms, say))
    yield " ".join(_ticket(terms, say))
    yield _content(terms, say)
    yield f"## {say.gettext('Who sees it')}"
    yield "\n".join(f"- {line}" for line in _seen(terms, say))
    yield f"## {say.gettext('What leaves the server')}"
    yield from _egress(terms, say)
    yield f"## {say.gettext('Your rights')}"
    yield say.gettext(
        "You can have a copy of the records about your account (JSON, CSV and XLSX) and learn which there "
        "are; have settings corrected; have the processing restricted: then no filter looks at your "
        "incoming mail; and have the records erased. You can complain to your data protection authority."
    )
    if terms.notices:
        yield say.gettext(
            "You are told by mail when somebody else has changed your settings, when your password for the "
            "filter's page is changed, when your account is closed or your records are erased, and before "
            "records are deleted because nobody signs in."
        )
    yield say.gettext("After an erasure these stay, each only for as long as its reason lasts:")
    yield "\n".join(f"- {line}" for line in _staying(terms, say))


def _records(terms: Terms, say: Speech) -> Iterator[str]:
    for name in terms.retention:
        kind = RecordClass(name)
        title, purpose = say.words(KINDS[kind].name), say.words(KINDS[kind].purpose)
        yield say.gettext("- **{title}**, {purpose}: {how_long}.").format(
            title=title[0].upper() + title[1:],
            purpose=purpose,
            how_long=how_long(kind, terms.retention[name], terms.notice, say),
        )


def how_long(kind: RecordClass, limits: Mapping[str, Bounds], notice: str, say: Speech) -> str:
    """Return for how long records of a class are kept by limits, which are by clock."""
    if kind is RecordClass.COPY_GUARD:
        period = say.period(limits[Clock.AGE].ceiling)
        return say.gettext(
            "they count for {period} and are deleted when copies are next sent, if not before"
        ).format(period=period)
    spans = [_span(Clock(clock), bounds, notice, say) for clock, bounds in limits.items()]
    if not any(bounds.ceiling for bounds in limits.values()):
        spans.append(say.gettext("no end is set"))
    elif kind is RecordClass.TICKET and not limits.get(Clock.AGE, Bounds()).ceiling:
        spans.append(say.gettext("no end is set for those about nobody's account"))
    elif Clock.AGE not in limits:
        spans.insert(0, say.gettext("for as long as the account is there"))
    return say.parted(spans)


def _span(clock: Clock, bounds: Bounds, notice: str, say: Speech) -> str:
    floor, ceiling = (say.period(one) if one else "" for one in (bounds.floor, bounds.ceiling))
    pattern = say.gettext(SPANS[clock, bool(floor), bool(ceiling)])
    return pattern.format(floor=floor, ceiling=ceiling, notice=say.period(notice))


def _limits(terms: Terms, say: Speech) -> Iterator[str]:
    yield say.gettext(
        "Where limits disagree, the longest “at least” counts before the shortest “at most”. What an "
        "authority has had held stays until the hold ends."
    )
    yield say.gettext(
        "Of sign-ins to the page where you set the filter, date, type and IP address are recorded. You can "
        "see them there, and delete them as far as nothing that stands here has them kept."
    )
    if terms.sign_ins:
        yield say.gettext(
            "Of sign-ins for sending mail the same is recorded, once an hour at most for each IP address."
        )
    if terms.counts:
        yield say.gettext("Counts of all mail together, which name nobody, serve to watch over the service.")


def _ticket(terms: Terms, say: Speech) -> Iterator[str]:
    yield say.gettext(
        "A ticket is written for each message and holds no more than this: message-ID and queue ID, time, "
        "direction, the addresses of sender and recipients and their accounts here, what each filter found "
        "(such as the name of the malware, the score with its reasons, the class), what was done and in "
        "which way."
    )
    if named := [say.gettext(name) for field, name in FIELDS.items() if field in terms.fields]:
        yield say.gettext("Besides: {fields}.").format(fields=say.all_of(named))
    if terms.pseudonymise:
        yield say.gettext(
            "After {period} keyed hashes take the place of the addresses and the message-ID in a ticket. "
            "With the key, which we keep, it can still be found by an address that is known, such as yours."
        ).format(period=say.period(terms.pseudonymise))
        if {Field.SUBJECT, Field.CLIENT_ADDRESS} & set(terms.fields):
            yield say.gettext("Subject and IP address are then deleted from it.")
    yield say.gettext(
        "So that nobody can forge tickets they are sealed by hashes. Of a ticket that is deleted the hash, "
        "from which nothing can be read, stays until the last one of its day is gone."
    )


def _content(terms: Terms, say: Speech) -> str:
    if Field.SUBJECT in terms.fields:
        return say.gettext(
            "Nothing else of a message is kept: no text, no attachment, no link, and of its header fields "
            "only the message-ID and the subject."
        )
    return say.gettext(
        "The content of mail is not kept: no text, no attachment, no link, and of the header fields only "
        "the message-ID."
    )


def _seen(terms: Terms, say: Speech) -> Iterator[str]:
    yield say.gettext(
        "You, when you ask for it. Other recipients of your mail are not shown to you, nor you to them."
    )
    yield say.gettext(
        "Those of us who run the service. When they look up tickets with the filter's commands, it is "
        "recorded who did so, when and for what."
    )
    if terms.jurisdictions:
        yield say.gettext(
            "Authorities of {jurisdictions}, and only on an order that has a legal basis. The order is "
            "recorded before anything is shown."
        ).format(jurisdictions=say.all_of(terms.jurisdictions))
    else:
        yield say.gettext(
            "No authority: the filter is set up to disclose nothing. Were that to change, this notice "
            "would, too."
        )


def _egress(terms: Terms, say: Speech) -> Iterator[str]:
    away = [one for one in terms.egress if one.leaves_host]
    if not away:
        yield say.gettext("Nothing. The filter opens no connection to another machine.")
        return
    yield say.gettext("The filter sends this to other machines, and nothing else:")
    resolver = say.gettext("name server")
    lines = []
    for one in away:
        peer = resolver if one.purpose == "dns" else one.peer
        carried = CARRIED.get(one.purpose)
        what = say.gettext(carried) if carried else one.carries
        lines.append(say.gettext("- {peer}: {what}").format(peer=peer, what=what))
    yield "\n".join(lines)


def _staying(terms: Terms, say: Speech) -> Iterator[str]:
    floors = [
        say.words(KINDS[RecordClass(name)].name)
        for name, limits in terms.retention.items()
        if name != RecordClass.LEGAL_ACT and any(bounds.floor for bounds in limits.values())
    ]
    if floors:
        yield say.gettext(
            "{records}: for the least time that stands above, for which we undertake or are bound to keep "
            "them;"
        ).format(records=say.all_of(floors))
    yield say.gettext("what an authority has had held: until the hold ends;")
    yield say.gettext(
        "tickets of messages that you exchanged with other users of ours: as long as their own, since they "
        "are about them, too;"
    )
    yield say.gettext(
        "records of disclosures, holds and readings of tickets that name you: for their own time, as they "
        "account for what was done with your data;"
    )
    yield say.gettext("your address and the dates of your account: as long as one of these tickets names it;")
    yield say.gettext("log files, in which no address stands: for their own time.")
