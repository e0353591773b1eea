"""The lines of PHP in docs/options.md, run by PHP as a webmail does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.servers import php
from tests.servers.options import visitor
from tests.test_options_arrivals import linked as linked
from tests.web import Web


@pytest.fixture
def webmail(linked: Web, tmp_path: Path) -> Iterator[int]:
    """Run a webmail that leads Zoë, who is signed in there, to the page; return its port."""
    folder = tmp_path / "webmail"
    folder.mkdir()
    function, call = (one.replace("/etc/tamis", str(tmp_path)) for one in php.documented())
    (folder / "index.php").write_text(f"{function}$user = 'zoë+x@example.org';\n{call}")
    with php.serving(folder) as port:
        linked.clock[0] = round(time.time()) * 1000  # PHP has no other
        yield port


def link(webmail: int) -> str:
    """Return where the webmail leads to, below the page's URL."""
    page = visitor(webmail).get("/")
    assert page.status == 303, page.text
    parts = urlsplit(page.location)
    assert f"{parts.scheme}://{parts.netloc}" == "https://mail.example.org"
    return f"{parts.path.removeprefix('/options')}?{parts.query}"


def test_link_that_php_makes_signs_in_once(linked: Web, webmail: int) -> None:
    made = link(webmail)
    visitor = linked.visitor()

    first = visitor.get(made)
    again = linked.visitor().get(made)

    assert (first.status, again.status) == (303, 403)
    assert "zoë@example.org" in visitor.get("/reception").text


def test_each_link_is_another(linked: Web, webmail: int) -> None:
    statuses = [linked.visitor().get(link(webmail)).status for _ in range(2)]

    assert statuses == [303, 303]


def test_link_with_another_octet_signs_nobody_in(linked: Web, webmail: int) -> None:
    made = link(webmail)
    start = made.index("?") + 1
    changed = [
        made[:place] + ("1" if made[place] != "1" else "2") + made[place + 1 :]
        for place in range(start, len(made))
    ]

    statuses = {linked.visitor().get(one).status for one in changed}

    assert statuses == {403}
    assert linked.visitor().get(made).status == 303


def test_link_is_good_for_half_a_minute(linked: Web, webmail: int) -> None:
    begun = time.time()
    made, later = link(webmail), link(webmail)
    ends = [int(parse_qs(one)["expires"][0]) for one in (made, later)]
    assert begun + 29 <= ends[0] <= ends[1] <= time.time() + 31

    linked.clock[0] = ends[0] * 1000 - 5_000
    in_time = linked.visitor().get(made)
    linked.clock[0] = ends[1] * 1000 + 5_000

    assert (in_time.status, linked.visitor().get(later).status) == (303, 403)
