"""The properties of reading a configuration: any octets give one that works, or a refusal that says why."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from tamis import address, egress, section
from tamis import config as configuration
from tamis.accounts import Accounts
from tamis.config import Config, ConfigError
from tamis.preferences import KEYS, Value

SHIPPED = files("tamis.conf").joinpath("tamis.toml").read_bytes()
SECRET = "hunter2"  # noqa: S105 - stands for one
FOLDER = tempfile.TemporaryDirectory(prefix="tamis-")
FILE = Path(FOLDER.name) / "tamis.toml"
SELDOM_SET = b"""\
mail.domains = ["example.org", "example.com"]
store.url = "postgresql+psycopg://tamis:hunter2@db.example.org/tamis"
antivirus.clamd = ["unix:/run/clamav/clamd.ctl", "inet:[2001:db8::1]:3310"]
users.may_change = []
resend.relay = "inet:127.0.0.1:10026"
accounts.sources = ["table", "file:/etc/aliases", "sql:SELECT target FROM alias WHERE name = :name"]
milter.workers = 0x10
milter.deadline = 1e2
antispam.weights.SUBJECT_ALL_CAPS = -0.5
[users.defaults]
antispam.action = "file"
antispam.mark = 4
"senders.blocked" = ["@*.example.com", "a@example.net"]
[users.domains]
"example.com" = { antispam = false, graymail.list = "none" }
"""
LINE = re.compile(rf"{re.escape(str(FILE))}(?: line (?P<number>\d+))?: (?P<key>.+?): .+")
LARGEST = 1 << 14  # octets of an input
SLOW = 10.0  # seconds for one; tomllib's time grows with the square of a key's length, who wrote it waits
LONGEST = 4000  # characters of one line of a refusal


def seeds() -> Iterator[bytes]:
    """Return the shipped file, its tables, and a file of what is seldom set."""
    yield SHIPPED
    yield b'[mail]\ndomains = ["example.org"]\n'
    for table in SHIPPED.split(b"\n["):
        yield b'mail.domains = ["example.org"]\n[' + table
    yield SELDOM_SET


def tokens() -> Iterator[bytes]:
    """Return words that a fuzzer may put in."""
    for name, table in Config.model_fields.items():
        yield f"[{name}]\n".encode()
        yield from (f"{name}.{key} = ".encode() for key in type(table.get_default()).model_fields)
    yield from (f'"{key}" = '.encode() for key in KEYS)
    yield from (
        b'"""',
        b"'''",
        b"[[",
        b"]]",
        b"{",
        b"}",
        b"inf",
        b"nan",
        b"true",
        b"1979-05-27",
        b"\\u0000",
        b"\\n",
    )
    yield from (
        b"0x" + b"f" * 40,
        b"1e999",
        b"9" * 40,
        b'"10 years"',
        b'"1 month"',
        b'"64KiB"',
        b"\\U0010ffff",
    )


def check(octets: bytes) -> None:
    """Read a file, and raise AssertionError where something that always holds does not."""
    FILE.write_bytes(octets)
    try:
        config = configuration.load(str(FILE))
    except ConfigError as error:
        check_refusal(str(error), octets)
    else:
        check_use(config)
        assert configuration.load(str(FILE)) == config


def check_refusal(says: str, octets: bytes) -> None:
    """Check that each line of a refusal names the file, and the line and key where there is one."""
    lines = octets.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for line in says.split("\n"):
        match = LINE.fullmatch(line)
        assert match is not None, line
        assert line.isprintable(), line
        assert len(line) <= LONGEST, line
        if match["number"] is not None:
            shown = lines[int(match["number"]) - 1]
            assert any(part in shown for part in re.split(r'[."]', match["key"])), line
        assert not match["key"].startswith("store") or SECRET not in line


def check_use(config: Config) -> None:
    """Check that what reads a configuration can use it."""
    assert config.mail.domains
    assert all(one == one.lower() for one in config.mail.domains)
    for text in (config.milter.listen, config.options.listen, *config.antivirus.clamd):
        assert str(address.parse(text))
    assert 0 <= int(config.milter.socket_mode, 8) <= 0o777
    for seconds in (config.milter.deadline, config.antivirus.timeout, config.store.timeout):
        assert 0 < seconds <= section.LONGEST
    assert 0 < config.milter.max_message <= section.LARGEST
    for connection in egress.manifest(config):
        assert SECRET not in str(connection.as_json())
    people = Accounts(config, [], Nobody())
    (resolution,) = people.resolve([f"bob@{config.mail.domains[0]}"])
    assert resolution.members[0].local


class Nobody:
    """Knows no account."""

    def own(self, addresses: Sequence[str]) -> Mapping[str, Mapping[str, Value]]:
        """Return nothing."""
        return {}
