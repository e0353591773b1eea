"""What is owed to whom: what each recipient gets as the only one, told from letters to one alone."""

from __future__ import annotations

from dataclasses import replace

from tests.examples import CLEAN
from tests.model_mta import Mail
from tests.providers import Site, alone

from tamis.finding import Findings
from tamis.message import Message
from tamis.preferences import Treatment


def due(site: Site, one: Message, found: Findings) -> frozenset[Mail] | str:
    """Return what arrives if everyone gets what he would get alone, but for a refusal that is one's alone."""
    addresses = {final for to in one.envelope.recipients for final in site.finals(to.address)}
    fates = {address: site.deliver(alone(one, address), found) for address in addresses}
    replies = [fate for fate in fates.values() if isinstance(fate, str)]
    if later := [reply for reply in replies if reply.startswith("4")]:
        return later[0]  # nothing is lost by it, so it goes to all
    if len(replies) == len(fates):
        return max(replies, key=lambda reply: "malware" in reply)
    mails: set[Mail] = set()
    for address, fate in fates.items():
        mails |= instead(site, alone(one, address), found, fate) if isinstance(fate, str) else fate
    return frozenset(mails)


def instead(site: Site, one: Message, found: Findings, reply: str) -> frozenset[Mail]:
    """Return what somebody gets for a refusal that is his alone: what he would get if nobody ever refused."""
    (to,) = one.envelope.recipients
    name = found.antivirus.malware if found.antivirus is not None else None
    if "cannot be scanned" in reply:
        site = site.changed(antivirus={"on_unscannable": "mark"})
    elif "refused as spam" in reply:
        filing = {
            member.address: replace(member.preferences, spam=Treatment.FILE)
            for member in site.members(to.address)
        }
        site = replace(site.changed(antispam={"refuse": 0.0}), wishes={**site.wishes, **filing})
    elif site.settings.antivirus.mixed == "discard":
        return frozenset()
    else:
        site = site.changed(antivirus={"heuristics": "mark"})
        guessed = f"Heuristics.{name}".replace("Heuristics.Heuristics.", "Heuristics.")
        found = replace(found, antivirus=replace(found.antivirus or CLEAN, malware=guessed))
        fate = site.deliver(one, found)
        mails = instead(site, one, found, fate) if isinstance(fate, str) else fate
        return frozenset(
            replace(mail, raw=mail.raw.replace(guessed.encode(), str(name).encode())) for mail in mails
        )
    fate = site.deliver(one, found)
    return instead(site, one, found, fate) if isinstance(fate, str) else fate


def at_most(site: Site, one: Message, mails: frozenset[Mail], owed: frozenset[Mail]) -> None:
    """See that mails reach whom they are owed to, with no more done to them than is owed."""
    assert {mail.mailbox for mail in mails} == {mail.mailbox for mail in owed}
    places = site.mta.places(one.envelope.recipients)
    for mail in mails:
        own = [other for other in owed if other.mailbox == mail.mailbox]
        assert any(mail.lines <= other.lines for other in own)
        assert (mail.mailbox, mail.folder) in places or mail.folder in {other.folder for other in own}
        assert len([other for other in mails if other.mailbox == mail.mailbox]) <= len(
            [place for place in places if place[0] == mail.mailbox]
        )
