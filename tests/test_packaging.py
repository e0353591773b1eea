"""What is packaged is what is there, and what is imported is stated."""

from __future__ import annotations

import ast
import configparser
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from importlib.resources import files
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "milter"
PART_OF = {"pydantic-core": "pydantic", "h11": "uvicorn", "markupsafe": "jinja2"}  # not to be had without


def setup(option: str) -> list[str]:
    """Return the lines of an option of setup.cfg's [options], without comments."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    lines = (line.partition("#")[0].strip() for line in parser["options"][option].splitlines())
    return [line for line in lines if line]


def imported() -> Iterator[str]:
    """Yield the top-level names that the package's modules import."""
    for path in (SOURCE / "tamis").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]


def canonical(name: str) -> str:
    """Return a distribution's name in the form that compares (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_package_is_listed() -> None:
    found = {".".join(path.parent.relative_to(SOURCE).parts) for path in SOURCE.rglob("__init__.py")}

    assert set(setup("packages")) == found | {"tamis.conf", "tamis.models"}


def test_every_folder_with_modules_is_a_package() -> None:
    folders = {path.parent for path in (SOURCE / "tamis").rglob("*.py")}

    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def test_the_source_root_is_no_package() -> None:
    # With an __init__.py it would hide pymilter's extension module, which is called milter too.
    assert not (SOURCE / "__init__.py").exists()


@pytest.mark.parametrize(
    ("package", "name"),
    [
        ("tamis.conf", "tamis.toml"),
        ("tamis.conf", "clamd.conf"),
        ("tamis.conf", "eicar.ndb"),
        ("tamis.models", "antispam.npz"),
        ("tamis.models", "graymail.npz"),
        ("tamis.options", "templates/base.html"),
        ("tamis.options", "static/style.css"),
    ],
)
def test_shipped_files_are_reachable_as_data(package: str, name: str) -> None:
    assert files(package).joinpath(name).is_file()


def test_every_dependency_is_stated() -> None:
    distributions = packages_distributions()
    names = {name for name in imported() if name not in sys.stdlib_module_names and name != "tamis"}
    used = {canonical(one) for name in names for one in distributions[name]}

    stated = {canonical(re.split(r"[ <>=~!;\[]", line)[0]) for line in setup("install_requires")}

    assert {PART_OF.get(name, name) for name in used} <= stated
