"""`tamis account password`."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from tests.commands import Done, Tamis
from tests.servers.milter import PATIENCE
from tests.stores import make_config, on_every_store, other, write_config

from tamis.config import Config

ANNA = "anna@example.org"
PASSWORD = "correct horse battery"  # noqa: S105
NOTICES = '[notices]\nsmtp = "inet:127.0.0.1:9"\nsender = "postmaster@example.org"\n'


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Return the configuration of the commands, whose store is there."""
    return make_config(tmp_path)


def give(tamis: Tamis, monkeypatch: pytest.MonkeyPatch, given: str, *arguments: str) -> Done:
    monkeypatch.setattr("sys.stdin", io.StringIO(given))
    return tamis("account", "password", ANNA, *arguments)


def hashes(config: Config) -> list[str]:
    with other(config) as connection:
        return [one for (one,) in connection.execute("SELECT hash FROM local_password").fetchall()]


@on_every_store
def test_a_password_is_kept_as_a_hash_of_argon2id(
    config: Config, tamis: Tamis, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = give(tamis, monkeypatch, f"{PASSWORD}\nsomething else\n", "--json")

    assert done.lines == [{"address": ANNA, "password": True}]
    (found,) = hashes(config)
    assert found.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert tamis("account", "list").out == f"{ANNA}  active\n"


def test_a_second_one_takes_its_place(config: Config, tamis: Tamis, monkeypatch: pytest.MonkeyPatch) -> None:
    give(tamis, monkeypatch, PASSWORD)
    (first,) = hashes(config)

    give(tamis, monkeypatch, PASSWORD)

    (second,) = hashes(config)
    assert first != second  # each has its own salt


@pytest.mark.parametrize("given", ["", "\n", "too short\n", "x" * 1001])
def test_what_is_too_short_or_too_long_is_refused(
    config: Config, tamis: Tamis, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    done = give(tamis, monkeypatch, given)

    assert done.status == 2
    assert done.err == "tamis: password: expected 12 characters or more, at most 1000 octets\n"
    assert hashes(config) == []


def test_it_is_taken_away(config: Config, tamis: Tamis, monkeypatch: pytest.MonkeyPatch) -> None:
    assert give(tamis, monkeypatch, "", "--remove").status == 1
    give(tamis, monkeypatch, PASSWORD)

    done = give(tamis, monkeypatch, "", "--remove", "--json")

    assert (done.status, done.lines) == (0, [{"address": ANNA, "password": False}])
    assert hashes(config) == []


def test_that_it_was_changed_is_on_record_and_nothing_of_it(
    config: Config, tamis: Tamis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "olga")
    give(tamis, monkeypatch, PASSWORD)

    with other(config) as connection:
        ((actor, key, old, new),) = connection.execute(
            "SELECT actor, key, old, new FROM setting_change"
        ).fetchall()

    assert (actor, key, old) == ("olga", "password", None)
    assert new.startswith('"20') and new.endswith('Z"')


def test_the_user_is_told(tmp_path: Path, tamis: Tamis, monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_config(tmp_path, more=NOTICES)

    give(tamis, monkeypatch, PASSWORD)

    with other(config) as connection:
        assert connection.execute("SELECT account, kind FROM notice").fetchall() == [(ANNA, "changed")]


def test_who_could_not_sign_in_by_it_is_told_to_the_operator(
    tmp_path: Path, tamis: Tamis, monkeypatch: pytest.MonkeyPatch
) -> None:
    imap = '[options]\nsign_in = ["imap"]\n[options.imap]\nserver = "inet:127.0.0.1:993"\n'
    write_config(tmp_path, more=imap)

    done = give(tamis, monkeypatch, PASSWORD)

    assert done.status == 0
    assert 'options.sign_in does not name "password"' in done.err


@pytest.mark.parametrize(("second", "status"), [(PASSWORD, 0), ("correct horse batterie", 2)])
def test_on_a_terminal_it_is_asked_for_twice_and_not_shown(
    tmp_path: Path, config: Config, second: str, status: int
) -> None:
    ours, theirs = pty.openpty()
    command = [
        sys.executable,
        "-m",
        "tamis",
        "account",
        "password",
        ANNA,
        "--config",
        str(tmp_path / "tamis.toml"),
    ]
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, close_fds=True
    )
    os.close(theirs)
    shown = b""
    for asked, typed in ((b"password", PASSWORD), (b"again", second)):
        while asked not in shown:
            shown += os.read(ours, 1000)
        os.write(ours, typed.encode() + b"\n")

    assert process.wait(PATIENCE) == status
    os.close(ours)
    assert b"horse" not in shown
    assert len(hashes(config)) == (status == 0)
