"""Socket addresses of the configuration."""

from __future__ import annotations

import pytest

from tamis import address
from tamis.address import InetAddress, UnixAddress


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("unix:/run/tamis/milter.sock", UnixAddress("/run/tamis/milter.sock")),
        ("inet:127.0.0.1:8891", InetAddress("127.0.0.1", 8891)),
        ("inet:clamd.example.org:3310", InetAddress("clamd.example.org", 3310)),
        ("inet:[::1]:8891", InetAddress("::1", 8891)),
    ],
)
def test_an_address_reads_back_as_written(text: str, expected: address.Address) -> None:
    parsed = address.parse(text)

    assert parsed == expected
    assert str(parsed) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "milter.sock",
        "unix:run/milter.sock",
        "inet:8891",
        "inet:127.0.0.1:0",
        "inet:127.0.0.1:65536",
        "inet:::1:8891",
        "tcp:127.0.0.1:1",
        "unix:/" + "a" * 107,
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        address.parse(text)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("localhost", True), ("127.0.0.53", True), ("::1", True), ("192.0.2.1", False), ("example.org", False)],
)
def test_only_loopback_stays_on_the_host(host: str, loopback: bool) -> None:
    assert InetAddress(host, 25).is_loopback is loopback
