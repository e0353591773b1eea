"""Reading people's records is on record, and for the desk alone where there is its group."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.commands import Tamis
from tests.servers.postfix import SUDO
from tests.stores import gives_up_soon, keep, locked, make_config, make_ticket, path_of, stored

from tamis.config import Config

SOME_USER = 12345
DESK = 54321  # the group's ID
# In the command's own view of the machine there is the group. Its user owns nothing here, and reads the store
# by a capability.
AS_USER = """
mount --bind "$1" /etc/group && shift &&
exec setpriv --inh-caps=+dac_override --ambient-caps=+dac_override "$@"
"""
BOB = "bob@example.org"
READING = (
    ("tickets", "--account", BOB),
    ("breach-scope", "--since", "2026-11-01", "--until", "2026-12-01"),
    (
        *("disclose", "--account", BOB, "--since", "2026-11-01", "--until", "2026-12-01"),
        *("--reference", "R", "--authority", "A", "--basis", "B", "--jurisdiction", "FR"),
    ),
    ("account", "report", BOB),
)


@pytest.fixture
def config(tamis: Tamis, tmp_path: Path) -> Config:
    config = make_config(tmp_path, more='[legal]\njurisdictions = ["FR"]')
    keep(config, [make_ticket()])
    return config


def name(arguments: Sequence[str]) -> str:
    """Return a command's name, with its verb."""
    return " ".join(arguments[:2]) if arguments[0] == "account" else arguments[0]


def readings(config: Config) -> list[dict[str, object]]:
    rows = stored(config, "SELECT body FROM legal_act WHERE kind = 'reading' ORDER BY id")
    return [json.loads(str(body)) for (body,) in rows]


def as_user(config: Config, arguments: tuple[str, ...], *options: str) -> subprocess.CompletedProcess[str]:
    """Run a command where there is the group, as a user with options of setpriv."""
    folder = path_of(config).parent
    groups = folder / "group"
    groups.write_text(f"root:x:0:\ntamis-desk:x:{DESK}:\n")
    command = [sys.executable, "-m", "tamis", *arguments, "--json", "--config", f"{folder}/tamis.toml"]
    return subprocess.run(
        [*SUDO, "unshare", "--mount", "sh", "-c", AS_USER, "-", str(groups), *options, *command],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_the_record_tells_who_read_what(
    config: Config, tamis: Tamis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "olga")

    tamis("tickets", "--account", "Bob@example.org", "--since", "2026-11-01", "--message-id", "1@example.net")

    (one,) = readings(config)
    assert one.pop("user")
    assert one == {
        "operator": "olga",
        "command": "tickets",
        "scope": {
            "account": BOB,
            "message_id": "1@example.net",
            "since": "2026-11-01T00:00:00.000Z",
        },
    }


@pytest.mark.parametrize("arguments", READING, ids=name)
def test_every_command_that_reads_leaves_its_record(
    config: Config, tamis: Tamis, arguments: tuple[str, ...]
) -> None:
    done = tamis(*arguments, "--json")

    assert done.out
    assert [one["command"] for one in readings(config)] == [name(arguments)]


@gives_up_soon
@pytest.mark.parametrize("arguments", READING, ids=name)
def test_a_store_that_cannot_record_does_not_show(
    config: Config, tamis: Tamis, arguments: tuple[str, ...]
) -> None:
    with locked(config):
        done = tamis(*arguments)

    assert (done.status, done.out) == (2, "")
    assert "the store cannot be used" in done.err


def test_verifying_reads_nothing_about_people(config: Config, tamis: Tamis) -> None:
    assert tamis("tickets", "verify").status == 0
    assert readings(config) == []


@pytest.mark.parametrize("arguments", [*READING, ("hold", "list"), ("account", "export", BOB)], ids=name)
def test_where_there_is_the_group_others_are_refused(config: Config, arguments: tuple[str, ...]) -> None:
    done = as_user(config, arguments, f"--reuid={SOME_USER}", f"--regid={SOME_USER}", "--clear-groups")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "tamis: for root and members of the group tamis-desk only\n"
    assert readings(config) == []


@pytest.mark.parametrize(
    "options",
    [
        (f"--reuid={SOME_USER}", f"--regid={SOME_USER}", f"--groups={DESK}"),
        (f"--reuid={SOME_USER}", f"--regid={DESK}", "--clear-groups"),
        ("--reuid=0", "--regid=0", "--clear-groups"),
    ],
    ids=["supplementary", "primary", "root"],
)
def test_members_and_root_are_shown_and_it_is_on_record(config: Config, options: tuple[str, ...]) -> None:
    done = as_user(config, READING[0], *options)

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["recipients"]
    assert len(readings(config)) == 1
