"""*About*: what the filter does and keeps, whom to write to, and what it is."""

from __future__ import annotations

from starlette.responses import Response

import tamis
from tamis.options.visit import Visit


async def show(visit: Visit) -> Response:
    """Show the privacy notice in the visitor's language."""
    notice = visit.site.notice
    blocks = await visit.work(lambda clerk: notice.blocks(clerk, visit.language.name, now=visit.now))
    contact = visit.site.config.options.contact
    values = {
        "blocks": blocks,
        "contact": contact,
        "contact_link": contact if contact.startswith("https:") else f"mailto:{contact}",
        "version": tamis.__version__,
    }
    return visit.page("about.html", values)
