"""What `tamis purge` tells Prometheus."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from tests.commands import Tamis
from tests.prometheus import Samples
from tests.stores import NOON, keep, make_config, make_ticket

from tamis.desk import gauges
from tamis.desk.gauges import GAUGES, Gauge
from tamis.desk.purge import Oldest
from tamis.retention.classes import RecordClass

DOCUMENTED = (Path(__file__).parents[1] / "docs" / "metrics.md").read_text()


@pytest.mark.parametrize("gauge", GAUGES, ids=lambda gauge: str(gauge.name))
def test_each_gauge_is_documented(gauge: Gauge) -> None:
    labels = ", ".join(f"`{label}`" for label in gauge.labels)

    assert f"| `{gauge.name}` | {labels} | {gauge.about} |" in DOCUMENTED


def test_the_file_stands_beside_that_of_the_service() -> None:
    assert gauges.beside("/run/tamis/tamis.prom") == Path("/run/tamis/tamis-purge.prom")


def test_the_oldest_of_each_class_stands_against_its_ceiling(tmp_path: Path) -> None:
    file = tmp_path / "tamis-purge.prom"
    left = [
        Oldest(RecordClass.TICKET, NOON, NOON + 5_500),
        Oldest(RecordClass.CONSENT, NOON - 1_000, None),
    ]

    gauges.write(file, left, finished=NOON + 1_000)

    seen = Samples(file.read_text())
    assert seen("tamis_purge_last_success_timestamp_seconds") == NOON / 1000 + 1
    assert seen("tamis_records_oldest_timestamp_seconds", **{"class": "ticket"}) == NOON / 1000
    assert seen("tamis_records_gone_by_timestamp_seconds", **{"class": "ticket"}) == NOON / 1000 + 5.5
    assert seen("tamis_records_oldest_timestamp_seconds", **{"class": "consent"}) == NOON / 1000 - 1
    assert not seen.has("tamis_records_gone_by_timestamp_seconds", **{"class": "consent"})
    assert not seen.has("tamis_records_oldest_timestamp_seconds", **{"class": "session"})
    assert set(seen.types.values()) == {"gauge"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_a_purge_writes_the_file_and_a_dry_run_does_not(tamis: Tamis, tmp_path: Path) -> None:
    config = make_config(tmp_path, more=f'[metrics]\nfile = "{tmp_path}/tamis.prom"')
    keep(config, [make_ticket("bob@example.org")])
    file = tmp_path / "tamis-purge.prom"

    tamis("purge", "--dry-run")
    before = file.exists()
    done = tamis("purge")

    text = file.read_text()
    assert (before, done.status, done.err) == (False, 0, "")
    assert Samples(text).has("tamis_records_oldest_timestamp_seconds", **{"class": "ticket"})
    assert "@" not in text
    assert not file.with_name("tamis-purge.prom.new").exists()


def test_a_file_that_cannot_be_written_is_told_and_all_is_purged(tamis: Tamis, tmp_path: Path) -> None:
    make_config(tmp_path, more=f'[metrics]\nfile = "{tmp_path}/away/tamis.prom"')

    done = tamis("purge")

    assert (done.status, done.out[:14]) == (0, "purged nothing")
    assert (
        done.err == f"tamis: {tmp_path}/away/tamis-purge.prom cannot be written: No such file or directory\n"
    )
