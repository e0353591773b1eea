"""The web page's metrics, as Prometheus reads them."""

from __future__ import annotations

import http.client
from pathlib import Path

import pytest
from tests.prometheus import Samples
from tests.servers.milter import PATIENCE
from tests.servers.options import Options
from tests.servers.ports import free_port
from tests.stores import write_config

from tamis.config import ConfigError, parse
from tamis.options import counts
from tamis.options.counts import Counts

DOCS = Path(__file__).parents[1] / "docs/metrics.md"


def test_a_socket_of_its_own_tells_the_counts_of_page_milter_and_purges(tmp_path: Path) -> None:
    port, watched = free_port(), free_port()
    more = f'[options]\nlisten = "inet:127.0.0.1:{port}"\nmetrics = "inet:127.0.0.1:{watched}"\n'
    config = write_config(tmp_path, more=f'{more}[metrics]\nfile = "{tmp_path}/tamis.prom"\n')
    (tmp_path / "tamis.prom").write_text("tamis_workers 2\n")
    (tmp_path / "tamis-purge.prom").write_text("tamis_purge_last_success_timestamp_seconds 5\n")

    with Options(config, port) as options:
        options.visitor().get("/sign-in")
        options.visitor().get("/nowhere")
        connection = http.client.HTTPConnection("127.0.0.1", watched, timeout=PATIENCE)
        connection.request("GET", "/metrics")
        told = Samples(connection.getresponse().read().decode())
        connection.close()

    assert told("tamis_options_requests_total", status="200") == 1
    assert told("tamis_options_requests_total", status="404") == 1
    assert told("tamis_options_request_duration_seconds_count") == 2
    assert told("tamis_workers") == 2
    assert told("tamis_purge_last_success_timestamp_seconds") == 5


def test_durations_are_counted_up_to_their_bounds() -> None:
    counted = Counts()
    for seconds in (0.005, 0.006, 20.0):
        counted.answered(200, seconds)

    told = Samples(counted.exposition())

    bounds = ("0.005", "0.01", "10", "+Inf")
    found = [told("tamis_options_request_duration_seconds_bucket", le=bound) for bound in bounds]
    assert found == [1, 2, 2, 3]


@pytest.mark.parametrize("name", ["ANSWERS", "DURATION"])
def test_its_metrics_are_documented_with_their_sentences(name: str) -> None:
    labels = "`status`" if name == "ANSWERS" else ""
    line = f"| `{getattr(counts, name)}` | {labels} | {getattr(counts, f'ABOUT_{name}')} |"

    assert line in DOCS.read_text()


def test_a_wrong_socket_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"options\.metrics"):
        parse('[mail]\ndomains = ["example.org"]\n[options]\nmetrics = "8893"\n', "tamis.toml")
