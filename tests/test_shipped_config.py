"""conf/tamis.toml is the manual: every key, its default, and a comment."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files

import pytest
from pydantic import BaseModel

from tamis import config as configuration
from tamis.config import Config

SHIPPED = files("tamis.conf").joinpath("tamis.toml").read_text(encoding="utf-8")
# What must differ by site: there is no default.
WITHOUT_DEFAULT = {"mail.domains"}


def keys() -> list[tuple[str, str]]:
    found = []
    for name, section in Config.model_fields.items():
        model = section.annotation
        assert isinstance(model, type) and issubclass(model, BaseModel)
        found += [(name, key) for key in model.model_fields]
    return found


def test_the_shipped_file_is_a_valid_configuration() -> None:
    assert configuration.parse(SHIPPED, "conf/tamis.toml").mail.domains == ("example.org",)


@pytest.mark.parametrize(("section", "key"), keys(), ids=".".join)
def test_a_key_stands_in_the_shipped_file_with_its_default(section: str, key: str) -> None:
    given = tomllib.loads(SHIPPED)[section]
    shipped = getattr(getattr(configuration.parse(SHIPPED, "conf/tamis.toml"), section), key)

    assert key in given
    if f"{section}.{key}" not in WITHOUT_DEFAULT:
        assert shipped == getattr(getattr(Config(), section), key)


def test_the_shipped_file_holds_nothing_else() -> None:
    given = tomllib.loads(SHIPPED)

    assert {(section, key) for section, table in given.items() for key in table} == set(keys())


def test_what_is_commented_out_in_retention_is_what_holds_without_it() -> None:
    tables = SHIPPED[SHIPPED.index("[retention]") : SHIPPED.index("[tickets]")]
    shown = re.sub(r"^# (?=[a-z_]+\.\w+ = )", "", tables, flags=re.MULTILINE)

    given = configuration.parse(f'[mail]\ndomains = ["example.org"]\n{shown}', "shown").rules

    assert {key: figure.period for key, figure in given.figures.items()} == {
        key: figure.period for key, figure in Config().rules.figures.items()
    }
    assert sum(figure.own for figure in given.figures.values()) == len(given.figures)


def test_every_key_has_a_comment_above_it() -> None:
    bare = []
    blocks = [block.splitlines() for block in SHIPPED.split("\n\n")]
    for lines in blocks:
        explained = False
        for line in lines:
            if re.match(r"[a-z_]+ =", line):
                if not explained:
                    bare.append(line)
            else:
                explained = line.startswith("#")

    assert not bare
