"""The wheel, installed into an environment of its own and used from another folder."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.servers.milter import configuration

import tamis

ROOT = Path(__file__).parents[1]
PATIENCE = 300.0  # seconds
SOURCES: Mapping[str, str] = {"milter/tamis": "tamis", "conf": "tamis/conf", "models": "tamis/models"}
FILES = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")


def run(*command: object, cwd: str | Path = "/") -> str:
    """Run a program that must succeed, and return what it prints."""
    words = [str(word) for word in command]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, cwd=cwd, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a wheel from a copy of the sources, so that nothing is written beside them."""
    copy = tmp_path_factory.mktemp("sources")
    for name in FILES:
        shutil.copy(ROOT / name, copy)
    for name in SOURCES:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", copy / "dist", copy)
    (built,) = (copy / "dist").iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install it into a fresh environment; return that one's bin.

    The packages that it needs are those of the environment of the tests, so that none is fetched.
    """
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        wheel,
    )
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder whose path is short enough for a socket's."""
    with tempfile.TemporaryDirectory(prefix="tamis-") as name:
        yield Path(name)


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    there = {
        path.relative_to(ROOT).as_posix().replace(source, package, 1)
        for source, package in SOURCES.items()
        for path in (ROOT / source).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}

    assert packed == there


def test_the_installed_package_is_the_wheels(installed: Path) -> None:
    where = run(installed / "python", "-c", "import tamis; print(tamis.__file__)").strip()

    assert Path(where).is_relative_to(installed.parent)


def test_the_installed_command_says_its_version(installed: Path) -> None:
    assert run(installed / "tamis", "--version") == f"tamis {tamis.__version__}\n"


def test_the_installed_package_finds_its_data(installed: Path) -> None:
    program = (
        "from importlib.resources import files\n"
        "from tamis import config\n"
        "from tamis.service import parts\n"
        "shipped = config.parse(files('tamis.conf').joinpath('tamis.toml').read_text(), 'tamis.toml')\n"
        "parts.filters(shipped)\n"
    )

    run(installed / "python", "-c", program)


def test_the_installed_milter_serves_and_stops(installed: Path, folder: Path) -> None:
    config = folder / "tamis.toml"
    config.write_text(configuration(folder, listen=f"unix:{folder}/milter.sock"))
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as readiness,
        socket.socket(socket.AF_UNIX) as mta,
    ):
        readiness.bind(f"{folder}/notify.sock")
        readiness.settimeout(PATIENCE)
        environment = {**os.environ, "NOTIFY_SOCKET": f"{folder}/notify.sock"}
        command = [str(installed / "tamis"), "serve", "--config", str(config)]
        served = subprocess.Popen(command, cwd="/", env=environment, stderr=subprocess.PIPE)
        try:
            assert readiness.recv(100) == b"READY=1"
            mta.connect(f"{folder}/milter.sock")
        finally:
            served.send_signal(signal.SIGTERM)
            _, errors = served.communicate(timeout=PATIENCE)

    assert served.returncode == 0, errors.decode()
