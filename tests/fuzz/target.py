"""One target under atheris: `python -m tests.fuzz.target NAME [libFuzzer's options] [FILE or FOLDER ...]`."""

from __future__ import annotations

import importlib
import sys

import atheris


def main(name: str, *arguments: str) -> None:
    """Fuzz until libFuzzer's options say that it is enough, or until something is found."""
    with atheris.instrument_imports(include=["tamis", "tomllib"]):
        target = importlib.import_module(f"tests.fuzz.{name}")
    atheris.Setup([sys.argv[0], *arguments], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
