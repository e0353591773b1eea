"""Messages by local domain, today and this week: rounded, and nothing of what few people may have got."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from starlette.responses import Response

from tamis.desk.discretion import LEAST, told
from tamis.desk.domains import DAYS, Counted
from tamis.interfaces import Answer
from tamis.options.operators import figures, frame
from tamis.options.pool import Clerk
from tamis.options.visit import Visit
from tamis.ticket import Action, Direction
from tamis.words.catalogue import text

MOST = 50  # domains that are shown; others can be looked for
BEHIND = 300_000  # ms beyond what is due, after which what is not counted yet is worth a word
LONGEST = 255  # octets of a domain (RFC 5321 section 4.5.3.1.2)
PERIODS: Mapping[int, str] = {1: text("Today"), DAYS: text("The last 7 days")}
TITLES: Mapping[Direction, str] = {
    Direction.INCOMING: text("Mail for its users"),
    Direction.OUTGOING: text("Mail from its users"),
}
OUTCOMES: Mapping[Direction, Mapping[Action, str]] = {
    Direction.INCOMING: figures.ACTIONS,
    Direction.OUTGOING: {
        Action.DELIVER: figures.ANSWERS[Answer.ACCEPT],
        Action.REFUSE: figures.ANSWERS[Answer.REFUSE],
        Action.TEMPFAIL: figures.ANSWERS[Answer.TEMPFAIL],
    },
}


@dataclass(frozen=True, slots=True)
class Row:
    """A domain, and its numbers as they are told, None for those that are not."""

    domain: str
    numbers: Mapping[Direction, Mapping[Action, int | None]]

    @property
    def size(self) -> int:
        """All that is told: what is not decides on no order."""
        return sum(one or 0 for some in self.numbers.values() for one in some.values())


async def show(visit: Visit) -> Response:
    """Show the domains with most messages, or those that are looked for."""
    query = visit.request.query_params
    days = DAYS if query.get("days") == str(DAYS) else 1
    asked = query.get("domain", "").strip().lower()[:LONGEST]
    if asked:
        content = await _content(visit, days, asked)
    else:
        name = f"domains {days} {visit.language.name}"
        board = visit.site.operators.board
        content = await board.get(name, lambda: _content(visit, days, ""), now=visit.now)
    return frame.page(visit, "domains", content)


async def _content(visit: Visit, days: int, asked: str) -> Markup:
    domains = visit.site.config.mail.domains
    tally = visit.site.operators.tally

    def find(clerk: Clerk) -> tuple[Counted, Sequence[Row]]:
        counted = tally.counted(days, now=visit.now)
        return counted, rows([one for one in domains if asked in one], counted)

    counted, found = await visit.work(find)  # of thousands of domains it takes a while
    values = {
        "days": days,
        "periods": PERIODS,
        "titles": TITLES,
        "outcomes": OUTCOMES,
        "rows": found[:MOST],
        "found": len(found),
        "asked": asked,
        "has_search": len(domains) > MOST,
        "until": counted.until,
        "is_behind": visit.now - counted.until > tally.late + BEHIND,
        "least": LEAST,
    }
    return visit.piece("domains.html", values)


def rows(domains: Sequence[str], counted: Counted) -> Sequence[Row]:
    """Return what is told of domains, first of those with most messages."""
    found = [Row(one, _numbers(one, counted)) for one in domains]
    return sorted(found, key=lambda row: (-row.size, row.domain))


def _numbers(domain: str, counted: Counted) -> Mapping[Direction, Mapping[Action, int | None]]:
    return {
        way: {action: told(counted.numbers.get((domain, way, action), 0)) for action in actions}
        for way, actions in OUTCOMES.items()
    }
