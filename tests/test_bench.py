"""The benchmark's arithmetic, its messages and its MTA, against a milter that does nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.bench import messages, processes, report
from tests.bench.__main__ import main
from tests.bench.frames import ID, Mail, script
from tests.bench.load import Outcome
from tests.soak.corpus import judge

from tamis.sandbox.wire import Options, Steps

LETTER = Mail(((b"From", b" anna@example.net"), (b"Subject", b" Lunch")), b"At one?\r\n")
ALL_QUIET = Steps(0xFF080)
INFO = "2026-11-23T09:14:05.120Z tamis[7] info: 4B1: ticket=01J"


def cell(server: str, *, number: int, cpu: float) -> report.Cell:
    return report.Cell(
        server,
        number,
        connections=8,
        messages=100,
        cpu=cpu,
        seconds=1.0,
        p50=0.001,
        p99=0.002,
        generator=0.01,
        verdicts={"accept": 100},
    )


def outcome(*ids: str, **verdicts: int) -> Outcome:
    return Outcome(ids=list(ids), verdicts=Counter(verdicts))


def test_a_ratio_compares_servers_within_each_round() -> None:
    cells = [
        cell("tamis-1", number=0, cpu=1.0),
        cell("rspamd-1", number=0, cpu=2.0),
        cell("tamis-1", number=1, cpu=3.0),
        cell("rspamd-1", number=1, cpu=4.0),
        cell("tamis-1", number=2, cpu=9.0),
        cell("rspamd-1", number=2, cpu=9.0),
    ]

    found = report.ratio(cells, "tamis-1", "rspamd-1", connections=8)

    assert found == report.Ratio("tamis-1", "rspamd-1", 8, median=0.75, low=0.5, high=1.0)


def test_servers_that_were_not_measured_give_no_ratio() -> None:
    assert report.ratios([cell("tamis-1", number=0, cpu=1.0)]) == []


def test_a_ratio_above_its_bar_is_called_missed() -> None:
    line = report.verdict(report.Ratio("tamis-1", "rspamd-1", 8, median=0.61, low=0.6, high=0.7))

    assert line.endswith("bar 0.60: MISSED")


def test_a_latency_is_one_that_a_share_of_messages_did_not_exceed() -> None:
    measured = Outcome(latencies=[0.1 * number for number in range(100, 0, -1)])

    assert (measured.latency(0.5), measured.latency(0.99)) == (0.1 * 51, 0.1 * 100)


def test_generated_messages_are_the_same_each_time() -> None:
    assert messages.generated(50) == messages.generated(50)


def test_generated_messages_are_as_large_as_real_ones() -> None:
    mails = messages.generated(500)

    assert 5_000 < sum(len(one.body) for one in mails) / len(mails) < 7_000


def test_a_line_that_is_no_field_begins_the_body() -> None:
    assert messages.split(b"A: 1\n 2\nnot a field\nB: 3\n") == (((b"A", b" 1\n 2"),), b"not a field\nB: 3\n")


def test_a_quiet_filter_gets_a_message_in_one_write() -> None:
    (only,) = script(LETTER, Options(steps=ALL_QUIET | Steps.NO_DATA))

    assert b"".join(only.pieces).endswith(b"\0\0\0\1E")


def test_each_answer_of_a_talkative_filter_is_awaited() -> None:
    whole = script(LETTER, Options(steps=Steps(0)))

    # connect, helo, mail, rcpt, data, two header fields, end of header, body, end of message
    assert len(whole) == 10


def test_later_messages_of_a_connection_have_no_client() -> None:
    whole = script(LETTER, Options(steps=Steps(0)), first=False)

    assert len(whole) == 8


def test_the_queue_id_is_told_from_data_on() -> None:
    whole = script(LETTER, Options(steps=Steps(0)))

    told = [ID.join(one.pieces).count(ID) for one in whole]
    assert told == [0, 0, 0, 0, 1, 0, 0, 1, 0, 1]


def test_cpu_time_of_a_process_is_counted_in_its_threads_too() -> None:
    work = "import threading; threading.Thread(target=lambda: sum(range(3_000_000))).start()"
    end = "; threading._shutdown(); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", work + end], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()

        found = processes.cpu([child.pid])
        child.communicate(b"\n")

    assert 0.01 < found < 10


def test_a_small_run_measures_every_message(tmp_path: Path) -> None:
    result = tmp_path / "result.json"

    code = main(
        [
            *("--servers", "null", "--rounds", "1", "--messages", "40", "--connections", "1,8"),
            *("--per-connection", "3", "--folder", str(tmp_path / "run"), "--json", str(result)),
        ]
    )

    cells = json.loads(result.read_text())["cells"]
    assert (code, [one["verdicts"] for one in cells]) == (0, [{"accept": 40}, {"accept": 40}])


def test_a_corpus_run_without_fault_has_no_complaint() -> None:
    result = judge(1, outcome("4B1", accept=1), [{"queue_id": "4B1", "recipients": []}], [INFO])

    assert result.complaints == ()


def test_a_corpus_run_complains_of_a_missing_ticket() -> None:
    result = judge(1, outcome("4B1", accept=1), [], [INFO])

    assert result.complaints == ("1 messages without a ticket, such as 4B1",)


def test_a_corpus_run_complains_of_a_second_ticket() -> None:
    ticket: dict[str, object] = {"queue_id": "4B1", "recipients": []}

    result = judge(1, outcome("4B1", accept=1), [ticket, ticket], [INFO])

    assert result.complaints == ("1 tickets too many, such as 4B1",)


def test_a_corpus_run_complains_of_a_tempfail() -> None:
    result = judge(1, outcome("4B1", tempfail=1), [{"queue_id": "4B1", "recipients": []}], [INFO])

    assert result.complaints == ("1 messages: tempfail",)


def test_a_corpus_run_complains_of_a_warning() -> None:
    line = INFO.replace("info", "warning")

    result = judge(1, outcome("4B1", accept=1), [{"queue_id": "4B1", "recipients": []}], [line])

    assert result.complaints == ("1 log lines at warning or above", line)


def test_a_client_address_that_is_none_is_replaced() -> None:
    mail = messages.from_record({"clean": "A: 1\n\n", "env": {"ip": "unknown"}}, 0)

    assert mail.client_ip == "192.0.2.10"
