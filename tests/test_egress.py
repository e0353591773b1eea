"""The manifest names every connection, and whether it leaves the host."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.examples import MINIMAL, config

from tamis import cli
from tamis.egress import manifest

DNS = ("dns", "the resolver of this host", True)


def connections(**settings: object) -> list[tuple[str, str, bool]]:
    return [(one.purpose, one.peer, one.leaves_host) for one in manifest(config(**settings))]


def test_by_default_nothing_leaves_the_host() -> None:
    assert connections() == [("antivirus", "unix:/run/clamav/clamd.ctl", False)]


def test_a_scanner_elsewhere_leaves_the_host() -> None:
    clamd = ["inet:127.0.0.1:3310", "inet:192.0.2.7:3310", "inet:clamd.example.org:3310"]

    assert connections(antivirus__clamd=clamd) == [
        ("antivirus", "inet:127.0.0.1:3310", False),
        ("antivirus", "inet:192.0.2.7:3310", True),
        ("antivirus", "inet:clamd.example.org:3310", True),
        DNS,
    ]


def test_names_that_are_looked_up_are_named_once() -> None:
    clamd = ["inet:clamd.example.org:3310", "inet:clamd.example.org:3311", "inet:localhost:3310"]

    *_, dns = manifest(config(antivirus__clamd=clamd, milter__listen="inet:mx.example.org:8891"))

    assert (dns.purpose, dns.carries) == ("dns", "lookups of mx.example.org, clamd.example.org")


@pytest.mark.parametrize(
    ("url", "peer", "leaves"),
    [
        ("postgresql+psycopg://tamis:hunter2@db.example.org/tamis", "inet:db.example.org:5432", True),
        ("postgresql+psycopg://tamis:hunter2@192.0.2.9:5433/tamis", "inet:192.0.2.9:5433", True),
        ("postgresql+psycopg://tamis@[::1]/tamis", "inet:[::1]:5432", False),
        ("postgresql+psycopg:///tamis", "inet:localhost:5432", False),
        ("postgresql+psycopg:///tamis?host=/run/postgresql", "unix:/run/postgresql", False),
        ("postgresql+psycopg:///tamis?host=db.example.org", "inet:db.example.org:5432", True),
        ("postgresql+psycopg:///tamis?host=db.example.org:5433", "inet:db.example.org:5433", True),
        ("postgresql+psycopg://db.example.org/tamis?hostaddr=192.0.2.9", "inet:192.0.2.9:5432", True),
    ],
)
def test_a_database_is_named_without_its_password(url: str, peer: str, leaves: bool) -> None:
    assert connections(store__url=url)[1:] == [("store", peer, leaves)] + [DNS] * ("db." in peer)


@pytest.mark.parametrize(
    "hosts",
    ["host=db1.example.org&host=db2.example.org:5432", "host=db1.example.org,db2.example.org&port=5432,5432"],
)
def test_each_host_of_a_database_is_named(hosts: str) -> None:
    url = f"postgresql+psycopg:///tamis?{hosts}"

    assert [peer for _, peer, _ in connections(store__url=url)[1:]] == [
        "inet:db1.example.org:5432",
        "inet:db2.example.org:5432",
        "the resolver of this host",
    ]


def test_the_relay_is_named() -> None:
    assert ("resend", "inet:127.0.0.1:10026", False) in connections(resend__relay="inet:127.0.0.1:10026")


def test_the_command_says_first_what_leaves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "tamis.toml"
    file.write_text(MINIMAL + "[antivirus]\nclamd = ['unix:/run/clamd', 'inet:192.0.2.7:3310']\n")

    status = cli.main(["egress", "--config", str(file)])

    first, second = capsys.readouterr().out.splitlines()
    assert status == 0
    assert first.startswith("LEAVES THIS HOST") and "inet:192.0.2.7:3310" in first
    assert second.startswith("stays on this host") and "unix:/run/clamd" in second


def test_the_command_says_that_nothing_leaves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "tamis.toml"
    file.write_text(MINIMAL)

    cli.main(["egress", "--config", str(file)])

    assert capsys.readouterr().out.splitlines()[-1] == "Nothing leaves this host."
