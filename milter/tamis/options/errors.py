"""Pages for what cannot be answered: what to do, and nothing of what went wrong inside."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from math import ceil

from starlette.responses import HTMLResponse, Response

from tamis.options.language import Language
from tamis.options.site import Site
from tamis.words.catalogue import text

# By status: what it is, and what to do.
TEXTS: Mapping[int, tuple[str, str]] = {
    HTTPStatus.BAD_REQUEST: (
        text("This form cannot be read"),
        text("Go back, load the page anew and send it once more."),
    ),
    HTTPStatus.FORBIDDEN: (
        text("This form is too old"),
        text("It was made before you signed in or out. Go back, load the page anew and send it once more."),
    ),
    HTTPStatus.NOT_FOUND: (
        text("There is no such page"),
        text("The address may be mistyped, or what it showed was deleted."),
    ),
    HTTPStatus.METHOD_NOT_ALLOWED: (
        text("This page does not do that"),
        text("Go back and use the page's own buttons."),
    ),
    HTTPStatus.CONFLICT: (
        text("This is not yours to change"),
        text("Your provider has set it for all users. Nothing was saved."),
    ),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (
        text("This is too long"),
        text("Nothing was saved. Send less at once."),
    ),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: (
        text("This form cannot be read"),
        text("Go back, load the page anew and send it once more."),
    ),
    HTTPStatus.TOO_MANY_REQUESTS: (
        text("This was very much in one hour"),
        text("Nothing was done this time. Go on in {minutes} min."),
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: (
        text("Your settings are out of reach"),
        text("Nothing was changed, and your mail goes on as before. Try again in a minute."),
    ),
}
OTHER = (
    text("Something went wrong"),
    text("It is noted for your provider. Your mail goes on as before. Try again in a minute."),
)


def page(site: Site, language: Language, status: int, headers: Mapping[str, str]) -> Response:
    """Return the page of an HTTP status."""
    title, advice = TEXTS.get(status, OTHER)
    values = {
        "_": language.say,
        "language": language,
        "account": "",
        "title": title,
        "advice": advice,
        "minutes": ceil(int(headers.get("retry-after", 0)) / 60),
    }
    return HTMLResponse(site.pages.render("error.html", values), status, headers=dict(headers))
