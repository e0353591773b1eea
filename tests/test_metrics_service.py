"""What a real `tamis serve` tells Prometheus."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.prometheus import Samples, next_of, wait_for
from tests.servers.clamd import Behaviour, CountingClamd
from tests.servers.milter import PATIENCE, Milter, StartMilter

from tamis.message import Envelope, Recipient
from tamis.sandbox.client import Client, Connection

SAMPLES = Path(__file__).parent / "samples"
ENVELOPE = Envelope(mail_from="anna@example.net", recipients=(Recipient("bob@example.org"),), queue_id="4XyZ")
OUTGOING = Envelope(
    mail_from="bob@example.org",
    recipients=(Recipient("carol@example.net"),),
    auth_user="bob",
    queue_id="4XyZ",
)
RAW = b"From: anna@example.net\r\nTo: bob@example.org\r\nSubject: hello\r\n\r\nHello Bob\r\n"
FRONTS = ("stream", "libmilter")


def settings(folder: Path) -> dict[str, dict[str, object]]:
    """Return the configuration of a file that is always new."""
    return {"metrics": {"file": str(folder / "tamis.prom"), "interval": "1s"}}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Samples]:
    """Return what is told after a letter, spam, malware, outgoing mail, and a letter that clamd failed on."""
    folder = tmp_path_factory.mktemp("metrics")
    file = folder / "tamis.prom"
    gtube = (SAMPLES / "08-gtube.eml").read_bytes().replace(b"\n", b"\r\n")
    with CountingClamd() as clamd, Milter(folder, settings(folder), clamd=clamd.address) as milter:
        milter.send(ENVELOPE, RAW)
        milter.send(ENVELOPE, gtube)
        milter.send(OUTGOING, RAW)
        clamd.reply = b"fd[7]: Eicar-Test-Signature FOUND\0"
        milter.send(ENVELOPE, RAW)
        clamd.reply = Behaviour.CLOSE
        milter.send(ENVELOPE, RAW)
        wait_for(file, "tamis_message_duration_seconds_count", 5)
        yield next_of(file)


def test_nothing_of_a_message_is_told(seen: Samples) -> None:
    assert not any(word in seen.text for word in ("@", "example", "4XyZ", "Eicar", "hello"))


def test_messages_are_told_by_their_answer(seen: Samples) -> None:
    answers = [
        seen("tamis_messages_total", direction="incoming", answer=one)
        for one in ("accept", "refuse", "tempfail")
    ]

    assert answers == [2, 1, 1]
    assert seen("tamis_messages_total", direction="outgoing", answer="accept") == 1


def test_recipients_are_told_by_what_was_done(seen: Samples) -> None:
    actions = [
        seen("tamis_recipients_total", direction="incoming", action=one)
        for one in ("deliver", "mark", "refuse", "tempfail")
    ]

    assert actions == [1, 1, 1, 1]


def test_verdicts_are_told_by_filter(seen: Samples) -> None:
    words = (("antivirus", "clean"), ("antivirus", "infected"), ("antivirus", "error"), ("antispam", "spam"))

    found = [
        seen("tamis_verdicts_total", direction="incoming", filter=name, verdict=word) for name, word in words
    ]

    assert found == [2, 1, 1, 1]


def test_a_tempfail_is_told_with_its_reason(seen: Samples) -> None:
    assert seen("tamis_tempfails_total", reason="clamd") == 1


def test_the_scanner_is_told_of(seen: Samples) -> None:
    assert seen("tamis_clamd_requests_total", clamd="0") == 5
    assert seen("tamis_clamd_errors_total", clamd="0") == 1
    assert seen("tamis_clamd_request_duration_seconds_count", clamd="0") == 4
    assert seen("tamis_clamd_up", clamd="0") == 0


def test_the_store_is_told_of(seen: Samples) -> None:
    assert 1 <= seen("tamis_store_commit_duration_seconds_count") <= 5
    assert seen("tamis_store_up") == 1


def test_every_ticketed_message_has_its_time(seen: Samples) -> None:
    assert seen("tamis_message_duration_seconds_count") == 5


def test_the_worker_is_told_of(seen: Samples) -> None:
    assert (seen("tamis_workers"), seen("tamis_workers_ready")) == (1, 1)
    assert seen("tamis_worker_resident_memory_bytes", worker="0") > 10_000_000


def test_nothing_goes_back_when_a_worker_dies(start_milter: StartMilter, tmp_path: Path) -> None:
    milter = start_milter(settings(tmp_path))
    file = tmp_path / "tamis.prom"
    milter.send(ENVELOPE, RAW)
    before = wait_for(file, "tamis_store_tickets_total", 1).counters()

    (worker,) = milter.workers()
    os.kill(worker, signal.SIGKILL)
    wait_for(file, "tamis_worker_restarts_total", 1, reason="died")
    milter.send(ENVELOPE, RAW)

    after = wait_for(file, "tamis_store_tickets_total", 2).counters()
    assert {key for key in before if after[key] < before[key]} == set()


def test_a_worn_worker_is_told_and_what_it_counted_stays(start_milter: StartMilter, tmp_path: Path) -> None:
    milter = start_milter({"milter": {"recycle_messages": 3}, **settings(tmp_path)})

    for _ in range(4):
        milter.send(ENVELOPE, RAW)

    wait_for(tmp_path / "tamis.prom", "tamis_store_tickets_total", 4)
    seen = wait_for(tmp_path / "tamis.prom", "tamis_worker_restarts_total", 1, reason="recycled")
    assert seen("tamis_store_tickets_total") == 4


def test_reloads_are_told(start_milter: StartMilter, tmp_path: Path) -> None:
    milter = start_milter(settings(tmp_path))
    file = tmp_path / "tamis.prom"
    right = milter.config.read_text()

    milter.config.write_text("wrong")
    milter.reload()
    wait_for(file, "tamis_config_reloads_total", 1, result="failed")
    milter.config.write_text(right.replace(str(file), str(file.with_name("other.prom"))))
    milter.reload()

    wait_for(file.with_name("other.prom"), "tamis_config_reloads_total", 1, result="ok")
    assert not file.exists()


@pytest.mark.parametrize("front", FRONTS)
def test_what_is_turned_away_is_told(start_milter: StartMilter, tmp_path: Path, front: str) -> None:
    with CountingClamd(Behaviour.HANG) as clamd:
        overrides: dict[str, dict[str, object]] = {
            "milter": {"front": front, "max_in_flight": 1},
            **settings(tmp_path),
        }
        milter = start_milter(overrides, clamd=clamd.address)

        async def story() -> None:
            async def one() -> None:
                async with await Connection.open(milter.address, Client(), helo="x") as mta:
                    await mta.send(ENVELOPE, RAW)

            first = asyncio.create_task(one())
            assert await asyncio.to_thread(clamd.asked.wait, PATIENCE)
            await one()
            clamd.let_go()
            await first

        asyncio.run(story())

        wait_for(tmp_path / "tamis.prom", "tamis_tempfails_total", 1, reason="clamd")
        seen = next_of(tmp_path / "tamis.prom")
    assert seen("tamis_tempfails_total", reason="in_flight") == 1
    assert seen("tamis_messages_total", direction="unknown", answer="tempfail") == 1


def test_an_mta_that_hangs_up_is_told(start_milter: StartMilter, tmp_path: Path) -> None:
    with CountingClamd(Behaviour.HANG) as clamd:
        milter = start_milter(settings(tmp_path), clamd=clamd.address)

        async def story() -> None:
            async with await Connection.open(milter.address, Client(), helo="x") as mta:
                sent = asyncio.create_task(mta.send(ENVELOPE, RAW))
                assert await asyncio.to_thread(clamd.asked.wait, PATIENCE)
                sent.cancel()

        asyncio.run(story())

        wait_for(tmp_path / "tamis.prom", "tamis_messages_total", 1, direction="unknown", answer="none")


def test_a_folder_that_is_not_there_harms_no_mail(start_milter: StartMilter, tmp_path: Path) -> None:
    milter = start_milter(settings(tmp_path / "nowhere"))

    answer = milter.send(ENVELOPE, RAW)

    assert answer.reply is None
    assert milter.log().count("metrics cannot be written") == 1


def test_the_file_ends_with_the_service(start_milter: StartMilter, tmp_path: Path) -> None:
    milter = start_milter(settings(tmp_path))
    wait_for(tmp_path / "tamis.prom", "tamis_workers", 1)

    milter.stop()

    assert not (tmp_path / "tamis.prom").exists()
