"""What is packaged is what is there."""

from __future__ import annotations

import configparser
from importlib.resources import files
from pathlib import Path

ROOT = Path(__file__).parents[1]


def listed() -> set[str]:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    return set(setup["options"]["packages"].split())


def test_every_package_is_listed() -> None:
    source = ROOT / "milter"
    found = {".".join(path.parent.relative_to(source).parts) for path in source.rglob("__init__.py")}

    assert listed() == found | {"tamis.conf", "tamis.models"}


def test_the_source_root_is_no_package() -> None:
    # With an __init__.py it would hide pymilter's extension module, which is called milter too.
    assert not (ROOT / "milter" / "__init__.py").exists()


def test_shipped_files_are_reachable_as_data() -> None:
    assert files("tamis.conf").joinpath("tamis.toml").is_file()
    assert files("tamis.conf").joinpath("clamd.conf").is_file()
    assert files("tamis.models").joinpath("antispam.npz").is_file()
