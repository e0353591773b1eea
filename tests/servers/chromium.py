"""A headless Chromium of Debian's, driven by playwright: one for a file of tests, a new profile for each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

UNPACKED = Path(__file__).parents[2] / "var/debian/chromium"
LIBRARIES = ("usr/lib/*-linux-gnu", "usr/lib/*-linux-gnu/pulseaudio", "lib/*-linux-gnu", "usr/lib")
PATIENCE = 30_000  # milliseconds for what should come at once; machines may be busy
# Tests may run as root, which Chromium's sandbox does not; it sees pages of ours only.
# All names lead to this host, so that sites may have some.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--font-render-hinting=none",
    "--host-resolver-rules=MAP * 127.0.0.1",
)


@contextmanager
def browser() -> Iterator[Browser]:
    """Lend a browser.

    As long as it is there playwright has an event loop in this thread: other loops need other threads.
    """
    program = UNPACKED / "usr/lib/chromium/chromium"
    assert program.exists(), f"{program} is missing: run tests/unpack chromium"
    where = [str(one) for pattern in LIBRARIES for one in UNPACKED.glob(pattern)]
    environment: dict[str, str | float | bool] = {**os.environ, "LD_LIBRARY_PATH": ":".join(where)}
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        one = playwright.chromium.launch(
            executable_path=program, args=list(ARGUMENTS), env=environment, chromium_sandbox=False
        )
        yield one
        one.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Lend the browser of a file of tests."""
    with browser() as one:
        yield one


@pytest.fixture(params=[True, False], ids=["script", "no script"])
def page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Lend a page of a new profile, with JavaScript and without."""
    context = new_context(chromium, script=request.param)
    yield context.new_page()
    context.close()


def new_context(browser: Browser, *, script: bool, language: str = "en") -> BrowserContext:
    """Return a new profile."""
    context = browser.new_context(java_script_enabled=script, locale=language)
    context.set_default_timeout(PATIENCE)
    return context
