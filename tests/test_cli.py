"""The command line's shape: commands, options and exit status."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.examples import MINIMAL

import tamis
from tamis import cli


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"tamis {tamis.__version__}\n"


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0

    out = capsys.readouterr().out
    assert all(f"  {name} " in out for name in cli.COMMANDS)


ACTS = [[name] for name in cli.COMMANDS if name not in ("account", "alias")]
ACTS += [
    ["account", name]
    for name in (
        "show",
        "set",
        "list",
        "close",
        "reopen",
        "restrict",
        "report",
        "export",
        "erase",
        "sessions",
        "password",
    )
]
ACTS += [["alias", "add"], ["alias", "remove"], ["alias", "list"]]


@pytest.mark.parametrize("act", ACTS, ids=" ".join)
def test_every_command_has_help_and_takes_a_configuration(
    act: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    status = cli.main([*act, "--help"])

    assert status == 0
    assert "--config FILE" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["frobnicate"], ["explain"], ["serve", "--frobnicate"]])
def test_wrong_use_is_exit_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 2
    assert "usage: tamis" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["serve", "explain", "tickets", "egress", "sandbox"])
def test_a_wrong_configuration_is_exit_status_2_with_its_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tamis.toml"
    file.write_text(MINIMAL + '[antivirus]\non_error = "ignore"\n')
    arguments = [name, "--config", str(file)] + ["-"] * (name == "explain")

    status = cli.main(arguments)

    assert status == 2
    expected = f'{file} line 4: antivirus.on_error: expected "tempfail" or "pass", got "ignore"\n'
    assert capsys.readouterr().err == f"tamis: {expected}"


def test_the_configuration_may_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tamis.toml"
    file.write_text(MINIMAL + "[antivirus]\nclamd = 'unix:/run/mine'\n")
    monkeypatch.setenv("TAMIS_CONFIG", str(file))

    assert cli.main(["egress"]) == 0
    assert "unix:/run/mine" in capsys.readouterr().out


def test_a_store_that_cannot_be_used_is_exit_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tamis.toml"
    file.write_text(MINIMAL + "[store]\nurl = 'sqlite:////nonexistent/tamis.db'\n")

    assert cli.main(["account", "list", "--config", str(file)]) == 2
    assert capsys.readouterr().err.startswith("tamis: the store cannot be used: ")


def test_the_package_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "tamis", "--version"]

    assert subprocess.run(command, capture_output=True, check=True).stdout.startswith(b"tamis ")


def test_serving_needs_no_scikit_learn() -> None:
    code = (
        "import sys; from tamis import cli; cli.parser(['serve', 'explain']); print('sklearn' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"False\n"
