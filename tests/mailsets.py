"""Small invented sets of labelled mail to train on."""

from __future__ import annotations

import json
import lzma
import random
from pathlib import Path

HAM = "meeting lunch garden report patch kernel minutes train holiday school draft budget river music"
SPAM = "casino jackpot pills lottery refinance mortgage winner bonus cheap replica bitcoin claim prize"
NEWS = "edition issue readers editors column subscribers articles weekly magazine stories events season"
COMMON = "the and for you with this that from have will your about more time new all one our"


def record(corpus: str, number: int, kind: str) -> dict[str, object]:
    """Return one invented message of a kind: spam, personal or newsletter."""
    chance = random.Random(f"{corpus} {number} {kind}")  # noqa: S311
    words = {"spam": SPAM, "personal": HAM, "newsletter": NEWS}[kind].split()
    text = " ".join(chance.choices(COMMON.split(), k=30) + chance.choices(words, k=12))
    subject = " ".join(chance.choices(words, k=3))
    mail = (
        f"From: Anna <anna@example.org>\nTo: bob@example.net\nSubject: {subject}\n"
        f"Date: Mon, 23 Nov 2026 10:14:05 +0100\nMessage-ID: <{number}@example.org>\n\n{text}\n"
    )
    category = {"newsletter": "newsletter_marketing", "personal": "personal", "spam": ""}[kind]
    return {
        "set": corpus,
        "corpus": corpus,
        "label": "spam" if kind == "spam" else "ham",
        "graymail_cat": category,
        "env": {"mail_from": "anna@example.org", "rcpt": "bob@example.net", "ip": "192.0.2.7", "helo": None},
        "clean": mail,
        "raw": mail,
    }


def write_set(folder: Path, corpus: str, *, of_each: int = 20) -> Path:
    """Write an invented set in the format of the .jsonl.xz sets, and return its path."""
    path = folder / f"{corpus}.jsonl.xz"
    with lzma.open(path, "wt", encoding="utf-8") as file:
        for number in range(of_each):
            for kind in ("spam", "personal", "newsletter"):
                file.write(json.dumps(record(corpus, number, kind)) + "\n")
    return path
