"""What the soak holds against a server: growth, leftovers, slowness, and lines that nothing explains."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.bench.load import Outcome
from tests.bench.servers import Server
from tests.hostile import stories
from tests.mailsets import write_set
from tests.soak.__main__ import main
from tests.soak.hostile import EXPLAINED
from tests.soak.watch import SETTLED, Handles, Watch, slope

QUIET = Handles(40, 8)


@pytest.fixture
def seen() -> Watch:
    """Return what was seen of a server that stays as it is."""
    with subprocess.Popen(["true"]) as process:
        server = Server("invented", "unix:/nonexistent", process, Path("/nonexistent"))
    watched = Watch(server, workers=2, before=Handles(30, 5), settled=QUIET)
    watched.memory[7] = [(number * 1000, 40_000_000) for number in range(100)]
    watched.laps = [Outcome(latencies=[0.001 * part for part in range(100)]) for _ in range(7)]
    return watched


def test_server_that_stays_as_it_is_gives_nothing_to_complain_of(seen: Watch) -> None:
    assert list(seen.complaints(QUIET)) == []


def test_slope_is_that_of_the_line_nearest_to_all_points() -> None:
    assert slope([(0, 1), (1, 1), (2, 5), (3, 5)]) == pytest.approx(1.6)


def test_growth_after_the_first_messages_is_found(seen: Watch) -> None:
    seen.memory[7] = [(messages, octets + 100 * messages) for messages, octets in seen.memory[7]]

    assert list(seen.complaints(QUIET)) == ["worker 7 grows by 100 octets per message"]


def test_growth_within_the_first_messages_is_no_leak(seen: Watch) -> None:
    full = SETTLED // seen.workers
    seen.memory[7] = [(messages, 1000 * min(messages, full)) for messages, _ in seen.memory[7]]

    assert list(seen.complaints(QUIET)) == []


@pytest.mark.parametrize(
    ("last", "complaint"),
    [(Handles(43, 8), "3 descriptors are left over"), (Handles(40, 13), "5 threads are left over")],
)
def test_what_is_left_over_is_found(seen: Watch, last: Handles, complaint: str) -> None:
    assert list(seen.complaints(last)) == [complaint]


def test_slowness_at_the_end_is_found(seen: Watch) -> None:
    seen.laps[-1].latencies = [2 * one for one in seen.laps[-1].latencies]

    assert list(seen.complaints(QUIET)) == ["p99 was 99.0 ms at the start and is 194.0 ms at the end"]


@pytest.mark.parametrize(
    ("line", "explained"),
    [
        ("warning: HOSTILE0000100002: too many fields of our names limit=1000 answer=tempfail", True),
        ("warning: connection ended: what came is not the milter protocol", True),
        ("warning: 4B0000000001: connection lost before the answer", False),
        ("warning: no clamd answers away=2s", False),
        ("error: HOSTILE0000100002: antispam failed error=KeyError at=run:1", False),
    ],
)
def test_hostile_mail_explains_warnings_about_itself_alone(line: str, explained: bool) -> None:
    assert bool(EXPLAINED.search(f"2026-11-23T09:14:05.120Z tamis[7] {line}")) is explained


def test_small_soak_ends_without_complaint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = dict(list(stories().items())[-5:])
    monkeypatch.setattr("tests.soak.hostile.stories", lambda: few)
    corpus = write_set(tmp_path, "invented")

    status = main([str(corpus), "--messages", "100", "--folder", str(tmp_path / "soak")])

    told = capsys.readouterr()
    assert (status, told.err) == (0, "")
    assert "120 answer accept" in told.out
    assert "120 tickets" in told.out
