"""`make screenshots`: all pages of `make run`, in each language, on phone and desktop, light and dark.

States that no link leads to (tests/states.py) differ by little from these: two of the four looks do for them.
axe-core looks at them here, which the tests have no time for; exit status 1 where it finds anything.
"""

from __future__ import annotations

import argparse
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Literal, TypeAlias

from playwright.sync_api import Browser, BrowserContext, Page
from tests import stages, states, tour
from tests.servers.chromium import browser
from tests.test_options_accessible import violations

from tamis.options.routes import ROUTES, For
from tamis.sandbox.demo import OPERATOR, PASSWORD, USER
from tamis.words.catalogue import languages

ROOT = Path(__file__).parents[1]
CLAMD = ROOT / "var/debian/clamav-daemon"
# Is kept once all is on the screen: a picture right after another size may have the former one's foot.
PAINTED = "new Promise(kept => requestAnimationFrame(() => requestAnimationFrame(kept)))"
SIZES = {"phone": (360, 740), "desktop": (1280, 800)}  # CSS pixels
Look: TypeAlias = tuple[str, Literal["light", "dark"]]
"""A size and a scheme of colours."""

LOOKS: Sequence[Look] = (("phone", "light"), ("phone", "dark"), ("desktop", "light"), ("desktop", "dark"))
OF_STATES: Sequence[Look] = (("phone", "light"), ("desktop", "dark"))
AMONG_STATES = ("sign-in-link", "about")  # as anybody sees them


@contextmanager
def demo(var: Path) -> Iterator[str]:
    """Lend the address of the web page of a demo that has sent all its mail."""
    command = [sys.executable, "-m", "tamis.sandbox.demo", "--var", str(var)]
    command += ["--clamd", str(CLAMD / "usr/sbin/clamd"), "--libraries", str(CLAMD / "usr/lib")]
    said = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                said += line
                if line.startswith("Running until"):
                    break
            where = re.search(r"^web page +(\S+):", said, re.MULTILINE)
            assert where is not None, said
            yield where[1]
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate()


def taken(chromium: Browser, url: str, folder: Path, language: str) -> Iterator[Path]:
    """Take the pictures of one language."""
    signed_in = _context(chromium, language)
    tour.sign_in(signed_in, url, USER, PASSWORD)
    tour.sign_in_operator(signed_in, url, OPERATOR, PASSWORD)
    anybody = _context(chromium, language)
    pages = [(signed_in, name, path) for name, path in tour.paths(signed_in.request, url, ROUTES).items()]
    for_anybody = [one for one in ROUTES if one.who is For.ANYBODY and one.name not in AMONG_STATES]
    pages += [(anybody, one.name, one.path) for one in for_anybody]
    pages.append((anybody, "nowhere", "/nowhere"))
    for context, name, path in pages:
        page = context.new_page()
        page.goto(url + path)
        yield from _pictures(page, folder / f"{name}-{language}", LOOKS)
    signed_in.close()
    anybody.close()


def taken_of_states(chromium: Browser, folder: Path, found: list[str]) -> Iterator[Path]:
    """Take the pictures of states, in each language, and add what axe-core finds there."""
    for number, (settings, some) in enumerate(states.SITES):
        place = folder / f"site-{number}"
        place.mkdir()
        with stages.running(place, settings) as stage:
            for language, (name, state) in product(languages(), some.items()):
                context = _context(chromium, language)
                page = state(stage(context, f"{name}.{language}@example.org"))
                found += [f"{name}: {one}" for one in violations(page)]
                yield from _pictures(page, folder / f"{name}-{language}", OF_STATES)
                context.close()


def _pictures(page: Page, stem: Path, looks: Sequence[Look]) -> Iterator[Path]:
    """Take pictures of all of a page, and close it."""
    for size, scheme in looks:
        width, height = SIZES[size]
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": height})
        whole = page.evaluate("document.documentElement.scrollHeight")  # what sticks is at its foot
        page.set_viewport_size({"width": width, "height": whole})
        page.evaluate(PAINTED)
        picture = stem.with_name(f"{stem.name}-{size}-{scheme}.png")
        page.screenshot(path=picture)
        yield picture
    page.close()


def _context(chromium: Browser, language: str) -> BrowserContext:
    return chromium.new_context(locale=language, reduced_motion="reduce")


def main() -> int:
    """Take them all."""
    parser = argparse.ArgumentParser(prog="make screenshots", description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "var/screenshots", help="where they go")
    folder = parser.parse_args().folder.absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    found: list[str] = []
    with demo(folder / "demo") as url, browser() as chromium:
        pictures = [one for language in languages() for one in taken(chromium, url, folder, language)]
        pictures += taken_of_states(chromium, folder, found)
    print(f"{len(pictures)} pictures in {folder}", *found, sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
