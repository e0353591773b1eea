"""Commands, configuration keys, rules and files are documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from tamis import cli
from tamis.checks.rules.catalogue import RULES
from tamis.config import Config
from tamis.finding import Rule
from tamis.preferences import KEYS
from tamis.service.families import FAMILIES, Family

ROOT = Path(__file__).parents[1]
PAGES = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)")


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_is_documented(name: str) -> None:
    assert any(f"`tamis {name}" in page for page in (README, *PAGES.values()))


@pytest.mark.parametrize("name", Config.model_fields)
def test_every_section_of_the_configuration_is_documented(name: str) -> None:
    assert f"`[{name}]`" in PAGES["configuration.md"]


def test_every_key_of_the_configuration_is_in_the_shipped_file() -> None:
    shipped = (ROOT / "conf" / "tamis.toml").read_text(encoding="utf-8")
    missing = []
    for name, section in Config.model_fields.items():
        model = section.annotation
        assert isinstance(model, type) and issubclass(model, BaseModel)
        for key in model.model_fields:
            if f"\n{key} = " not in shipped and f"\n[{name}.{key}]" not in shipped:
                missing.append(f"{name}.{key}")

    assert not missing


@pytest.mark.parametrize("key", KEYS)
def test_every_setting_of_an_account_is_documented(key: str) -> None:
    assert f"`{key}`" in PAGES["commands.md"]


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: str(rule.name))
def test_every_rule_is_documented_with_its_sentence(rule: Rule) -> None:
    assert f"| {rule.name} | {rule.about} |" in PAGES["rules.md"]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: str(family.name))
def test_every_metric_is_documented_with_its_labels_and_its_sentence(family: Family) -> None:
    labels = ", ".join(f"`{name}`" for name in family.labels)

    assert f"| `{family.name}` | {labels} | {family.about} |" in PAGES["metrics.md"]


def test_tests_that_are_said_to_prove_promises_are_there() -> None:
    named = re.findall(r"`(test_\w+)`", PAGES["privacy.md"])

    assert named
    assert [name for name in named if not (ROOT / "tests" / f"{name}.py").exists()] == []


def test_every_decision_has_a_number_of_its_own() -> None:
    files = sorted((ROOT / "docs" / "decisions").glob("*.md"))

    numbers = [int(path.name[:4]) for path in files]
    assert numbers == list(range(1, len(files) + 1))
    assert [path.read_text().partition(".")[0] for path in files] == [f"# {number}" for number in numbers]


@pytest.mark.parametrize("page", sorted(PAGES))
def test_links_lead_somewhere(page: str) -> None:
    assert [to for to in LINK.findall(PAGES[page]) if not (ROOT / "docs" / to).exists()] == []


def test_links_of_the_readme_lead_somewhere() -> None:
    assert [to for to in LINK.findall(README) if not (ROOT / to).exists()] == []
