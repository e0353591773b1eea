"""The web page's pages as a user finds them: by links, so that one which no link leads to is noticed."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from playwright.sync_api import APIRequestContext, BrowserContext

from tamis.options.routes import OPERATORS, Route

STARTS = ("/", OPERATORS)  # of users and of operators
HTML = "text/html"
LINK = re.compile(r'<a [^>]*href="([^"]+)"')


def sign_in(context: BrowserContext, url: str, address: str, password: str) -> None:
    """Sign a user in, in whatever language."""
    _send(context, f"{url}/sign-in", {"#address": address, "#password": password}, "**/reception")


def sign_in_operator(context: BrowserContext, url: str, name: str, password: str) -> None:
    """Sign an operator in."""
    _send(context, f"{url}{OPERATORS}/sign-in", {"#name": name, "#password": password}, f"**{OPERATORS}")


def _send(context: BrowserContext, url: str, fields: Mapping[str, str], leads_to: str) -> None:
    page = context.new_page()
    page.goto(url)
    for field, value in fields.items():
        page.locator(field).fill(value)
    page.locator("main form button").click()
    page.wait_for_url(leads_to)
    page.close()


def paths(request: APIRequestContext, url: str, routes: Sequence[Route]) -> Mapping[str, str]:
    """Return a path to each page that links lead to, by the names of routes, for who is signed in as both.

    What is no page of HTML, such as a file, has none.
    """
    found: dict[str, str] = {}
    seen = set(STARTS)
    waiting = deque(STARTS)
    while waiting:
        path = waiting.popleft()
        answer = request.get(url + path)
        assert answer.ok, f"{path}: {answer.status}"
        here = urlsplit(answer.url).path
        name = _name(here, routes)
        if name is None or name in found or not answer.headers["content-type"].startswith(HTML):
            continue
        found[name] = here
        for link in _links(answer.text()):
            if link not in seen and _name(link, routes) not in found:
                seen.add(link)
                waiting.append(link)
    return found


def _links(html: str) -> Iterator[str]:
    for link in LINK.findall(html):
        path = urlsplit(link).path
        if path.startswith("/"):
            yield path


def _name(path: str, routes: Sequence[Route]) -> str | None:
    """Return the name of the route that a path is one of, if that shows anything."""
    for one in routes:
        if one.show is not None and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", one.path), path):
            return one.name
    return None
