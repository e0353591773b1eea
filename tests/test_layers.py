"""Imports point downward only (docs/architecture.md)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "milter" / "tamis"

# Lowest first; parts of one layer do not know each other, except where they stand in one word together.
LAYERS = (
    (
        "units",
        "address",
        "authres",
        "deadline",
        "decoding",
        "lazy",
        "prometheus",
        "passwords",
        "refusal",
        "spelling",
        "values",
        "words",
    ),
    ("section",),
    ("html", "mailboxes", "notices", "retention", "sockets", "webpage"),
    ("mime",),
    ("message", "finding", "preferences", "ticket", "decision", "interfaces"),
    ("config",),
    ("checks", "learning", "accounts", "policy", "store", "egress", "wiring"),
    ("scan", "resend", "judgement", "promises"),
    ("pipeline",),
    ("front", "sandbox", "service", "desk"),
    ("options",),
    ("commands",),
    ("cli",),
    ("__main__",),
)
# The values of the second layer are one vocabulary; service hands the parts of the sixth to each other.
FAMILIES = ({"message", "finding", "preferences", "ticket", "decision", "interfaces"}, {"service", "front"})
PURE = {"os", "time", "random", "datetime", "socket", "asyncio", "sqlalchemy", "logging", "pathlib"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room(name: str) -> str:
    """Return the part of the package that a dotted module name belongs to."""
    return name.split(".")[1] if "." in name else ""


def level(part: str) -> int:
    for number, parts in enumerate(LAYERS):
        if part in parts:
            return number
    raise AssertionError(f"{part} stands in no layer: add it to the test and to docs/architecture.md")


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downward(path: Path) -> None:
    part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if part == "__init__":
        return

    for name in imports(path):
        other = room(name) if name.startswith("tamis.") else part
        if other == part or (other.startswith("__") and other != "__main__"):
            continue
        together = any({part, other} <= family for family in FAMILIES)
        assert together or level(other) < level(part), f"{part} imports {name}"


@pytest.mark.parametrize("path", sorted((PACKAGE / "policy").glob("*.py")), ids=lambda path: path.stem)
def test_policy_is_pure(path: Path) -> None:
    assert not {name.split(".")[0] for name in imports(path)} & PURE


@pytest.mark.parametrize("path", sorted((PACKAGE / "retention").glob("*.py")), ids=lambda path: path.stem)
def test_retention_reads_no_clock(path: Path) -> None:
    called = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}

    assert not {name.split(".")[0] for name in imports(path)} & (PURE - {"datetime"})
    assert not called & {"now", "today", "utcnow"}


def test_only_training_imports_scikit_learn() -> None:
    users = {path.name for path in modules() if any(name.startswith("sklearn") for name in imports(path))}

    assert users <= {"training.py", "evaluation.py"}
