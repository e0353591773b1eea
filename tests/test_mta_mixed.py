"""Recipients of one message who chose differently, through an MTA: each gets what he would have got alone.

The cases are random. Each message goes to each of its recipients alone, and then to all of them at once; what
came into each mailbox is compared byte for byte, without what the MTA itself writes on top.
"""

from __future__ import annotations

import base64
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from tests.servers import mail
from tests.servers.mtas import ACCOUNTS, ALIASES, USERS, Delivered, without_trace
from tests.servers.sites import Json, Site, Sites
from tests.servers.smtp import Connection

CASES = {"postfix split": 200, "postfix split-libmilter": 50, "sendmail split": 50}
SEED = 20261128
KINDS = (mail.letter, mail.gtube, mail.newsletter, mail.social, mail.list_post, mail.spam, mail.eicar_in_zip)
OWN_NAMES = tuple(one for one in ACCOUNTS if one.isascii())
OTHER_NAMES = (
    "info@example.org",
    "crew@example.org",
    "team@example.org",
    "club@example.org",
    "bob+lists@example.org",
    "carol+x@example.org",
    "whoever@branch.example.org",
    "grace@example.com",
)


@dataclass
class Case:
    """A message to several people, and what came of it."""

    raw: bytes
    recipients: Sequence[str]
    user: str | None  # who submits it
    alone: dict[str, int] = field(default_factory=dict)  # reply codes
    together: int = 0

    @property
    def token(self) -> bytes:
        """What no other message has in it."""
        return mail.message_id(self.raw).encode()


def finals(address: str) -> tuple[str, ...]:
    """Return whom an address reaches, by addresses that reach nobody else."""
    local, _, domain = address.partition("@")
    if domain == "example.com":
        return (f"{local}@example.org",)
    return ALIASES.get(address) or ALIASES.get(f"@{domain}") or (address,)


def cases(count: int) -> list[Case]:
    """Return random cases, the same ones each time."""
    chance = random.Random(SEED)  # noqa: S311
    found = []
    for _ in range(count):
        size = chance.randint(2, 6)
        recipients = chance.sample(OWN_NAMES, k=size) + chance.choices(OTHER_NAMES, k=chance.randint(0, 2))
        chance.shuffle(recipients)
        user = "judy@example.org" if chance.random() < 0.15 else None
        kind = mail.letter if user else chance.choice(KINDS)
        raw = kind().replace(b"To: you@example.org", b"To: undisclosed-recipients:;")
        found.append(Case(raw, tuple(dict.fromkeys(recipients[:6])), user))
    return found


def send(site: Site, case: Case, recipients: Sequence[str]) -> int:
    """Send a case's message; return the reply's code."""
    connection = site.sign_in(case.user) if case.user else site.connect()
    with connection as client:
        return _send(client, case, recipients)


def _send(client: Connection, case: Case, recipients: Sequence[str]) -> int:
    sender = case.user or "pat@example.net"
    return client.send(case.raw, *recipients, sender=sender).code


def whole(one: Delivered) -> tuple[str, str, bytes]:
    """Return place and content of a message, wherever the marks of the filter stand beside the MTA's own."""
    marks = "".join(f"{name}: {value}\n" for name, value in one.fields)
    return one.account, one.folder, without_trace(marks.encode() + one.content)


@dataclass
class Played:
    """What came into mailboxes of a case's message, by account, folder and content."""

    case: Case
    alone: Counter[tuple[str, str, bytes]]
    together: Counter[tuple[str, str, bytes]]
    raw: Sequence[Delivered]  # of those who got it together
    ticket: Json


@pytest.fixture(scope="module", params=CASES, ids=lambda one: one)
def behind(request: pytest.FixtureRequest) -> str:
    """Name MTA and front."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def relayed_site(behind: str, sites: Sites) -> Site:
    """Run Tamis with a relay."""
    return sites.get(*behind.split())


@pytest.fixture(scope="module")
def played(behind: str, relayed_site: Site) -> Sequence[Played]:
    """Play all cases."""
    some = cases(CASES[behind])
    for case in some:
        everyone = dict.fromkeys(final for one in case.recipients for final in finals(one))
        case.alone = {one: send(relayed_site, case, [one]) for one in everyone}
    before = _collected(relayed_site, some)
    for case in some:
        case.together = send(relayed_site, case, case.recipients)
    after = _collected(relayed_site, some)
    found = []
    for case, first, both in zip(some, before, after, strict=True):
        paths = {one.raw for one in first}
        found.append(
            Played(
                case,
                alone=Counter(map(whole, first)),
                together=Counter(map(whole, both)) - Counter(map(whole, first)),
                raw=[one for one in both if one.raw not in paths],
                ticket=relayed_site.tickets(case.raw)[-1],
            )
        )
    return found


def _collected(site: Site, some: Sequence[Case]) -> list[list[Delivered]]:
    """Return what came into mailboxes of each case's message."""
    arrived = site.mta.arrived()
    return [[one for one in arrived if case.token in one.raw] for case in some]


def test_everyone_gets_what_he_would_have_got_alone(played: Sequence[Played]) -> None:
    for one in played:
        assert set(one.together) == set(one.alone), one.case.recipients


def test_nobody_gets_it_more_often_than_he_has_names(played: Sequence[Played]) -> None:
    for one in played:
        names = Counter(
            final.partition("+")[0].partition("@")[0] for to in one.case.recipients for final in finals(to)
        )
        got = Counter(account.partition("@")[0] for account, _, _ in one.together.elements())
        assert got <= names


def test_it_is_refused_if_everyone_alone_would_have_had_it_refused(played: Sequence[Played]) -> None:
    for one in played:
        codes = set(one.case.alone.values())
        assert codes <= {250, 550}
        assert one.case.together == (550 if codes == {550} else 250)


def test_all_means_were_needed(played: Sequence[Played]) -> None:
    means = Counter(one.ticket["means"] for one in played)

    print(
        means, sum(sum(one.together.values()) for one in played), Counter(one.case.together for one in played)
    )
    assert set(means) == {"uniform", "detail", "split"}
    assert means["split"] >= len(played) // 4


def test_nothing_names_another_recipient(played: Sequence[Played]) -> None:
    for one in played:
        for got in one.raw:
            own = {name for name in one.case.recipients if got.account in map(bare, finals(name))}
            others = {final for to in one.case.recipients if to not in own for final in (to, *finals(to))}
            for other in others - {got.account, one.case.user}:
                assert not [form for form in spellings(other) if form in got.raw], (other, got.raw)


def test_the_log_names_nobody(relayed_site: Site, played: Sequence[Played]) -> None:
    log = relayed_site.milter.log()

    assert "@" not in log
    assert not [user for user in USERS if user in log]


def bare(address: str) -> str:
    """Return an address without its detail."""
    local, _, domain = address.partition("@")
    return f"{local.partition('+')[0]}@{domain}"


def spellings(address: str) -> Iterator[bytes]:
    """Return how an address may stand in a message: as such, quoted-printable, and in Base64 at any place."""
    octets = address.encode()
    yield octets
    yield octets.replace(b"@", b"=40")
    for start in range(3):
        encoded = base64.b64encode(b"x" * start + octets)
        yield encoded[4 if start else 0 : len(encoded) // 4 * 4 - 4]
