"""`tamis train` from labelled mail to models with cards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.mailsets import write_set

from tamis.cli import main
from tamis.learning import model


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("sets")
    return [str(write_set(folder, name)) for name in ("one", "two", "three", "four")]


def test_models_and_cards_are_written(sets: list[str], tmp_path: Path) -> None:
    assert main(["train", *sets, "--output", str(tmp_path / "models")]) == 0

    names = {path.name for path in (tmp_path / "models").iterdir()}
    assert names == {f"{name}.{kind}" for name in ("antispam", "graymail") for kind in ("npz", "md", "json")}
    assert model.load("antispam", tmp_path / "models").rules["SUBJECT_ALL_CAPS"] > 0


def test_figures_are_of_models_that_did_not_see_the_corpus(
    sets: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *sets, "--exclude", "four", "--json"]) == 0

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["model"], line["corpus"]) for line in lines] == [
        (name, corpus) for name in ("antispam", "graymail") for corpus in ("one", "three", "two")
    ]
    assert lines[0]["ham"] == 40
    assert lines[0]["ham_marked"] == 0


def test_one_corpus_is_too_few(sets: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", sets[0]]) == 2

    assert "three corpora" in capsys.readouterr().err


def test_corpus_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(tmp_path / "missing.jsonl.xz")]) == 2

    assert "missing.jsonl.xz" in capsys.readouterr().err
