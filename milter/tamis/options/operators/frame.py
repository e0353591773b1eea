"""What all pages of operators have around them."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup
from starlette.responses import Response

from tamis.options.visit import Visit
from tamis.words.catalogue import text

TITLES: Mapping[str, str] = {"operator": text("Overview"), "domains": text("By domain")}  # in order


def page(visit: Visit, here: str, content: Markup) -> Response:
    """Return a page by its name."""
    return visit.page("operators.html", {"here": here, "titles": TITLES, "content": content})
