"""Fuzz targets one after the other: `python -m tests.fuzz SECONDS NAME ...`; each has its folder in var/fuzz.

What a target learns is kept there for the next time, and so is each input that it fails on: crash-*,
timeout-* and oom-*.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE = 60  # seconds for an input that hangs; what takes long is told by its CPU time
MEMORY = 1024  # megabytes


def fuzz(name: str, seconds: int) -> bool:
    """Fuzz one target, and tell whether nothing was found."""
    folder = ROOT / "var" / "fuzz" / name
    for one in ("seeds", "corpus"):
        (folder / one).mkdir(parents=True, exist_ok=True)
    target = importlib.import_module(f"tests.fuzz.{name}")
    for number, seed in enumerate(target.seeds()):
        (folder / "seeds" / f"{number:03}").write_bytes(seed)
    words = folder / "words"
    words.write_text("".join(f'"{_escaped(token)}"\n' for token in target.tokens()))
    options = [f"-max_total_time={seconds}", f"-max_len={target.LARGEST}", f"-timeout={PATIENCE}"]
    options.append(f"-report_slow_units={PATIENCE}")
    options += [f"-rss_limit_mb={MEMORY}", f"-dict={words}", f"-artifact_prefix={folder}/", "-verbosity=0"]
    command = [sys.executable, "-m", "tests.fuzz.target", name]
    before = found(folder)
    print(f"fuzzing {name} for {seconds} s", flush=True)
    status = subprocess.run(
        [*command, *options, "-print_final_stats=1", f"{folder}/corpus", f"{folder}/seeds"]
    ).returncode
    for path in sorted(found(folder) - before):
        print(f"found by {name}: {' '.join((*command, str(path)))}")
    return status == 0


def found(folder: Path) -> set[Path]:
    """Return the inputs that a target failed on so far."""
    return {path for path in folder.iterdir() if path.is_file() and path.name != "words"}


def _escaped(token: bytes) -> str:
    return "".join(f"\\x{octet:02x}" for octet in token)


if __name__ == "__main__":
    seconds, *names = sys.argv[1:]
    sys.exit(0 if all([fuzz(name, int(seconds)) for name in names]) else 1)
