"""The operator's overview: mail by the hour, faults, how the parts are, the oldest records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from starlette.responses import Response

from tamis.config import Config
from tamis.desk import purge
from tamis.desk.purge import Oldest
from tamis.options.operators import chart, figures, frame, health
from tamis.options.operators.chart import Chart
from tamis.options.operators.figures import Column
from tamis.options.operators.health import Metrics
from tamis.options.pool import Clerk
from tamis.options.visit import Visit
from tamis.promises.speech import Speech
from tamis.retention.classes import KINDS
from tamis.store import hours, receipts
from tamis.store.hours import HOUR, Hour
from tamis.ticket import Direction
from tamis.words.catalogue import text

TITLES: Mapping[Direction, str] = {
    Direction.INCOMING: text("Incoming mail"),
    Direction.OUTGOING: text("Outgoing mail"),
}


@dataclass(frozen=True, slots=True)
class Found:
    """What the store and the metrics say."""

    hours: Sequence[Hour]
    oldest: Sequence[Oldest]
    purged: int | None  # Unix ms
    metrics: Metrics


async def show(visit: Visit) -> Response:
    """Show it."""
    board = visit.site.operators.board
    overview = await board.get(f"overview {visit.language.name}", lambda: _overview(visit), now=visit.now)
    return frame.page(visit, "operator", overview)


async def _overview(visit: Visit) -> Markup:
    config, language = visit.site.config, visit.language
    found = await visit.work(lambda clerk: _find(config, clerk, visit.now))
    counted = figures.by_hour(figures.until_now(found.hours, found.metrics.numbers, visit.now))
    columns = figures.columns(counted, visit.now)
    shown = {one.begin: counted[one.begin] for one in columns if one.begin in counted}
    parts = [health.of_purge(found.purged, language, visit.now)]
    if config.metrics.file:
        clamds, interval = len(config.antivirus.clamd), config.metrics.interval
        parts[:0] = health.of_milter(found.metrics, interval, clamds, language, visit.now)
    speech = Speech(language.name)
    values = {
        "is_counted": config.metrics.file != "",
        "columns": columns,
        "answers": figures.ANSWERS,
        "titles": TITLES,
        "charts": {way: _messages(columns, way) for way in TITLES},
        "latency": chart.stacked([{"most": one.most or 0} for one in columns]),
        "actions": figures.ACTIONS,
        "outcomes": figures.outcomes(shown),
        "faults": figures.faults(shown),
        "parts": parts,
        "oldest": found.oldest,
        "classes": {one.kind: speech.words(KINDS[one.kind].name) for one in found.oldest},
        "now": visit.now,
    }
    return visit.piece("overview.html", values)


def _find(config: Config, clerk: Clerk, now: int) -> Found:
    with clerk.database.reading() as connection:
        counted = hours.since(connection, now - now % HOUR - figures.HOURS * HOUR)
        purged = receipts.last_time(connection)
    oldest = purge.oldest(clerk.database, config.rules)
    return Found(counted, oldest, purged, Metrics.of(config.metrics.file))


def _messages(columns: Sequence[Column], way: Direction) -> Chart:
    return chart.stacked([{answer.value: n for answer, n in one.messages[way].items()} for one in columns])
