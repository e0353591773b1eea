"""Only wanted filters see a message, and one that fails harms nothing else."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from tests.examples import CLEAN, HAM, NO_GRAYMAIL, config, envelope, message
from tests.hostile import BODIES, HEADERS, HOSTILE, HOSTILE_FIELDS

from tamis.config import Config
from tamis.finding import (
    Authentication,
    FailedCheck,
    Filter,
    Findings,
    GraymailFinding,
    SpamFinding,
    VirusFinding,
    VirusStatus,
)
from tamis.interfaces import GraymailCheck, SpamCheck, VirusScanner
from tamis.message import Message
from tamis.scan import BIG, Scanner
from tamis.service import parts

ALL = frozenset(Filter)
SHIPPED = parts.filters(config())


class Antivirus:
    """A scanner that remembers what it saw, and answers after a while or fails."""

    def __init__(self, answer: VirusFinding | Exception | None = CLEAN) -> None:
        """Take the answer; None for none at all."""
        self.seen: list[Message] = []
        self._answer = answer

    async def run(self, message: Message) -> VirusFinding:
        """Answer."""
        self.seen.append(message)
        if self._answer is None:
            await asyncio.Event().wait()
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer or CLEAN


class Check:
    """A check that remembers what it saw."""

    def __init__(self, error: Exception | None = None) -> None:
        """Take the error that it fails with."""
        self.seen: list[Message] = []
        self._error = error

    def note(self, message: Message) -> None:
        """Remember, or fail."""
        self.seen.append(message)
        if self._error is not None:
            raise self._error


class Antispam(Check):
    """An antispam filter that finds nothing."""

    def run(self, message: Message) -> SpamFinding:
        """Answer."""
        self.note(message)
        return HAM


class Graymail(Check):
    """A graymail filter that finds nothing."""

    def run(self, message: Message) -> GraymailFinding:
        """Answer."""
        self.note(message)
        return NO_GRAYMAIL


def scan(
    one: Message,
    antivirus: VirusScanner,
    *,
    antispam: SpamCheck,
    graymail: GraymailCheck,
    wanted: frozenset[Filter] = ALL,
    site: Config | None = None,
) -> Findings:
    """Scan a message on a loop of its own."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        scanner = Scanner(
            site or config(), antivirus=antivirus, antispam=antispam, graymail=graymail, executor=executor
        )
        return asyncio.run(scanner.scan(one, wanted))


class Bench:
    """A Scanner's filters, which remember."""

    def __init__(
        self,
        site: Config | None = None,
        *,
        antivirus: Antivirus | None = None,
        antispam: Antispam | None = None,
        graymail: Graymail | None = None,
    ) -> None:
        """Take filters; those not given find nothing."""
        self.antivirus = antivirus or Antivirus()
        self.antispam = antispam or Antispam()
        self.graymail = graymail or Graymail()
        self._site = site

    def scan(self, one: Message, wanted: frozenset[Filter] = ALL) -> Findings:
        """Scan a message."""
        return scan(
            one,
            self.antivirus,
            antispam=self.antispam,
            graymail=self.graymail,
            wanted=wanted,
            site=self._site,
        )


def test_all_wanted_filters_report() -> None:
    found = Bench().scan(message())

    assert (found.antivirus, found.antispam, found.graymail) == (CLEAN, HAM, NO_GRAYMAIL)


@pytest.mark.parametrize("name", list(Filter))
def test_a_filter_that_nobody_wants_does_not_see_the_message(name: Filter) -> None:
    bench = Bench()

    found = bench.scan(message(), ALL - {name})

    assert getattr(found, name.value) is None
    assert getattr(bench, name.value).seen == []


def test_what_nobody_wants_analysed_is_not_parsed() -> None:
    one = message()

    Bench().scan(one, frozenset({Filter.ANTIVIRUS}))

    assert "content" not in vars(one)


@pytest.mark.parametrize("name", ["antispam", "graymail"])
def test_a_check_that_fails_is_a_finding_and_its_neighbours_go_on(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    secret = ValueError("Dear Bob, the password is hunter2")
    bench = Bench(antispam=Antispam(secret)) if name == "antispam" else Bench(graymail=Graymail(secret))

    found = bench.scan(message())

    assert isinstance(getattr(found, name), FailedCheck)
    assert found.antivirus == CLEAN
    assert "hunter2" not in caplog.text
    assert f"4Xy7: {name} failed error=ValueError at=note:" in caplog.text


def test_a_scanner_that_raises_is_an_error_and_its_text_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = Bench(antivirus=Antivirus(OSError("hunter2"))).scan(message())

    assert found.antivirus == VirusFinding(VirusStatus.ERROR)
    assert found.antispam == HAM
    assert "hunter2" not in caplog.text


def test_a_scanner_that_hangs_is_an_error_in_time(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(config(antivirus__timeout=0.05), antivirus=Antivirus(None))

    found = bench.scan(message())

    assert found.antivirus == VirusFinding(VirusStatus.ERROR)
    assert [one.levelno for one in caplog.records] == [logging.WARNING]


def test_a_scanner_has_less_time_than_the_deadline() -> None:
    bench = Bench(config(milter__deadline=0.1, antivirus__timeout=30.0), antivirus=Antivirus(None))

    async def within() -> Findings:
        return await asyncio.wait_for(asyncio.to_thread(bench.scan, message()), 5)

    assert asyncio.run(within()).antivirus == VirusFinding(VirusStatus.ERROR)


def test_a_message_over_the_limit_is_judged_on_its_start() -> None:
    bench = Bench(config(milter__max_message=1000))
    one = message(b"a" * 5000)

    bench.scan(one)

    assert len(bench.antispam.seen[0].body) == len(bench.graymail.seen[0].body) == 1000
    assert bench.antivirus.seen == [one]


def test_a_big_message_is_judged_off_the_loop() -> None:
    found = Bench().scan(message(b"a" * BIG))

    assert (found.antispam, found.graymail) == (HAM, NO_GRAYMAIL)


def test_a_big_message_that_takes_too_long_is_a_timeout() -> None:
    class Slow(Antispam):
        def run(self, message: Message) -> SpamFinding:
            may_end.wait(10)
            return HAM

    may_end = threading.Event()

    async def story() -> None:
        with ThreadPoolExecutor(max_workers=1) as executor:
            scanner = Scanner(
                config(milter__deadline=0.05),
                antivirus=Antivirus(),
                antispam=Slow(),
                graymail=Graymail(),
                executor=executor,
            )
            try:
                await scanner.scan(message(b"a" * BIG), frozenset((Filter.ANTISPAM,)))
            finally:
                may_end.set()

    with pytest.raises(TimeoutError):
        asyncio.run(story())


def test_the_sender_is_the_one_author() -> None:
    found = Bench().scan(message(around=envelope(mail_from="Bounce@Example.NET")))

    assert (found.sender.from_address, found.sender.mail_from) == ("anna@example.net", "bounce@example.net")


@pytest.mark.parametrize("spelling", ['"foe"@example.net', "Foe@example.net.", '"foe"@Example.net.'])
def test_a_sender_spelt_otherwise_is_the_same(spelling: str) -> None:
    found = Bench().scan(message(headers={"From": spelling}, around=envelope(mail_from=spelling)))

    assert (found.sender.from_address, found.sender.mail_from) == ("foe@example.net", "foe@example.net")


@pytest.mark.parametrize(
    "value", ["anna@example.net, bob@example.net", "Anna", "<a@example.net> <b@example.net>"]
)
def test_several_authors_or_none_are_no_author(value: str) -> None:
    assert Bench().scan(message(headers={"From": value})).sender.from_address is None


@pytest.mark.parametrize(
    ("trusted", "own", "name", "expected"),
    [
        ([], "", "mx1.example.org", Authentication.UNKNOWN),
        (["mx1.example.org"], "", "mx1.example.org", Authentication.PASSED),
        (["MX1.example.org"], "", "mx1.EXAMPLE.org", Authentication.PASSED),
        (["mx1.example.org"], "", "mx2.example.org", Authentication.UNKNOWN),
        # Our own name is never believed: {j} is mx.example.org here.
        (["mx.example.org"], "", "mx.example.org", Authentication.UNKNOWN),
        (["mx.example.org"], "filter.example.org", "mx.example.org", Authentication.PASSED),
        (["filter.example.org"], "filter.example.org", "filter.example.org", Authentication.UNKNOWN),
    ],
)
def test_only_trusted_verifiers_are_believed(
    trusted: list[str], own: str, name: str, expected: Authentication
) -> None:
    site = config(mail__trusted_authserv_ids=trusted, mail__authserv_id=own)
    one = message(headers={"Authentication-Results": f"{name}; dkim=pass header.d=example.net"})

    assert Bench(site).scan(one).sender.authentication is expected


def judged(one: Message) -> Findings:
    """Return what the shipped filters say."""
    return scan(one, Antivirus(), antispam=SHIPPED.antispam, graymail=SHIPPED.graymail)


@given(HEADERS, BODIES)
@settings(max_examples=300, deadline=None)
def test_any_bytes_survive_the_filters(fields: list[tuple[bytes, bytes]], body: bytes) -> None:
    found = judged(Message(envelope(), tuple(fields), body))

    assert isinstance(found.antispam, SpamFinding)
    assert isinstance(found.graymail, GraymailFinding)
    assert found.antispam.score == round(found.antispam.score, 1)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_structure_costs_the_filters_bounded_time(name: str) -> None:
    content_type, body = HOSTILE[name]
    one = Message(envelope(), ((b"Content-Type", content_type),), body)
    started = time.process_time()

    found = judged(one)

    assert time.process_time() - started < 2  # seconds; each takes a tenth of that at most
    assert isinstance(found.antispam, SpamFinding)
    assert isinstance(found.graymail, GraymailFinding)


@pytest.mark.parametrize("value", HOSTILE_FIELDS)
def test_hostile_fields_cost_the_filters_bounded_time(value: bytes) -> None:
    names = (b"From", b"Subject", b"Reply-To", b"To", b"Message-ID", b"List-Unsubscribe", b"Received")
    one = Message(envelope(), tuple((name, value) for name in names), value)
    started = time.process_time()

    found = judged(one)

    assert time.process_time() - started < 2  # seconds
    assert isinstance(found.antispam, SpamFinding)
    assert isinstance(found.graymail, GraymailFinding)
