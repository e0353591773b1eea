"""Which means are taken how often, where few users have chosen something; nothing of it is timed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.bench.frames import Mail
from tests.examples import CLEAN, config

from tamis.decision import Decision, Plan
from tamis.finding import Findings, Sender
from tamis.message import Envelope, Message, Recipient
from tamis.policy.allowed import allowed
from tamis.policy.combine import combine
from tamis.policy.decide import decide
from tamis.preferences import Member, Preferences
from tamis.service import parts
from tamis.ticket import Means

USERS = 1000
WITHOUT_ONE = 100  # of them have one filter off, in turn
WITH_THRESHOLD = 50  # others have a threshold of their own, these in turn
THRESHOLDS = (3.0, 4.0, 6.0, 8.0)  # bits
RELAY = "inet:127.0.0.1:10026"  # that there is one; nothing is handed over
USUAL = Member(None, Preferences(), local=True, address="usual@example.org")  # has chosen nothing
# Recipients of a message, from and to, and the share of messages that have so many.
RECIPIENTS = ((1, 1, 0.70), (2, 2, 0.15), (3, 5, 0.10), (6, 20, 0.05))
ABOUT = (
    f"{WITHOUT_ONE / USERS:.0%} of users have one filter off, {WITH_THRESHOLD / USERS:.0%} a threshold of "
    "their own, all else is as shipped; recipients of a message: "
    + ", ".join(
        f"{low if low == high else f'{low} to {high}'} ({share:.0%})" for low, high, share in RECIPIENTS
    )
)


@dataclass(slots=True)
class Share:
    """How messages were answered under one setting."""

    on_clean: bool
    several: bool  # only those to several recipients are counted
    messages: int = 0
    copies: int = 0
    means: Counter[Means] = field(default_factory=Counter)

    def add(self, plan: Plan) -> None:
        """Count one message."""
        self.messages += 1
        self.copies += len(plan.copies)
        self.means[plan.means] += 1

    def line(self) -> str:
        """Return its line of the table."""
        each = "".join(f"{self.means[one] / self.messages:10.2%}" for one in Means)
        about = "several recipients" if self.several else "all"
        on_clean = str(self.on_clean).lower()
        return f"{on_clean:8}  {about:18} {self.messages:8}{each} {self.copies / self.messages:14.3f}"


@dataclass(slots=True)
class Mix:
    """What was found on a mix."""

    shares: tuple[Share, ...]
    messages: int = 0
    spam: int = 0  # for who has chosen nothing
    graymail: int = 0

    def add(self, usual: Decision, plans: Mapping[bool, Plan]) -> None:
        """Count one message: what is due to who has chosen nothing, and its plan by headers.on_clean."""
        self.messages += 1
        self.spam += usual.antispam == "spam"
        self.graymail += usual.graymail != "none"
        for share in self.shares:
            plan = plans[share.on_clean]
            if len(plan.decisions) > 1 or not share.several:
                share.add(plan)

    def lines(self) -> Iterable[str]:
        """Return the table."""
        yield f"Share of each means: {ABOUT}."
        yield (
            f"Of {self.messages} messages {self.spam / self.messages:.1%} are spam and "
            f"{self.graymail / self.messages:.1%} graymail to who has chosen nothing."
        )
        means = "".join(f"{one.value:>10}" for one in Means)
        yield f"on_clean  of                 messages{means} copies/message"
        yield from (one.line() for one in self.shares if one.messages)


def users() -> tuple[Member, ...]:
    """Return all users: first those without a filter, then those with a threshold of their own."""
    off = (Preferences(antivirus=False), Preferences(antispam=False), Preferences(graymail=False))
    own = tuple(Preferences(spam_mark=bits) for bits in THRESHOLDS)
    found = []
    for number in range(USERS):
        wishes = Preferences()
        if number < WITHOUT_ONE:
            wishes = off[number % len(off)]
        elif number < WITHOUT_ONE + WITH_THRESHOLD:
            wishes = own[number % len(own)]
        address = f"user{number}@example.org"
        found.append(Member(address, wishes, local=True, address=address))
    return tuple(found)


def measure(mails: Sequence[Mail], *, seed: int = 1) -> Mix:
    """Return what becomes of messages, each judged by the shipped models; the same for the same arguments."""
    chance = random.Random(seed)  # noqa: S311  # the same recipients each time is what it is for
    settings = {
        on_clean: config(headers__on_clean=on_clean, resend__relay=RELAY) for on_clean in (False, True)
    }
    filters = parts.filters(settings[False])
    everyone = users()
    found = Mix(tuple(Share(on_clean, several) for on_clean in settings for several in (False, True)))
    for mail in mails:
        message = received(mail)
        facts = Findings(
            Sender(None, mail.mail_from), CLEAN, filters.antispam.run(message), filters.graymail.run(message)
        )
        to = chance.sample(everyone, how_many(chance))
        plans = {
            on_clean: combine(
                [decide(Recipient(one.address), one, facts, chosen) for one in to], allowed(message, chosen)
            )
            for on_clean, chosen in settings.items()
        }
        found.add(decide(Recipient(USUAL.address), USUAL, facts, settings[False]), plans)
    return found


def received(mail: Mail) -> Message:
    """Return a message as the front hands it on."""
    return Message(Envelope(mail.mail_from, client_ip=mail.client_ip, helo=mail.helo), mail.fields, mail.body)


def how_many(chance: random.Random) -> int:
    """Return how many recipients a message has."""
    ((low, high, _),) = chance.choices(RECIPIENTS, [share for _, _, share in RECIPIENTS])
    return chance.randint(low, high)
