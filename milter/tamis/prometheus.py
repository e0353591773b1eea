"""The text exposition format of Prometheus, version 0.0.4 (prometheus.io), and files of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

MODE = 0o644  # for whoever collects it: there is nothing in it but counts and times


def line(name: str, labels: Sequence[str], values: Sequence[str], number: float) -> str:
    """Return a sample."""
    return f"{sample(name, labels, values)} {shown(number)}"


def sample(name: str, labels: Sequence[str], values: Sequence[str]) -> str:
    """Return what a sample is known by."""
    # Values come from closed sets without quotes, backslashes and line ends: nothing to escape.
    inside = ",".join(f'{label}="{value}"' for label, value in zip(labels, values, strict=True))
    return f"{name}{{{inside}}}" if inside else name


def read(text: str) -> dict[str, float]:
    """Return the numbers of a text of ours by what their samples are known by."""
    samples = (one.rpartition(" ") for one in text.splitlines() if not one.startswith("#"))
    return {known: float(number) for known, _, number in samples}


def shown(value: float) -> str:
    """Return a number as it stands in a sample."""
    return str(int(value)) if float(value).is_integer() else repr(value)


def replace(file: Path, text: str) -> None:
    """Put a text in a file's place at once: whoever reads it sees all of it, or all of the one before."""
    # node_exporter reads only names that end in .prom.
    draft = file.with_name(f"{file.name}.new")
    draft.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC  # never into what somebody else put there
    try:
        with os.fdopen(os.open(draft, flags, MODE), "w", encoding="ascii") as written:
            os.fchmod(written.fileno(), MODE)  # whatever the umask
            written.write(text)
        draft.replace(file)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
