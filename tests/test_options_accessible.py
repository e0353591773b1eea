"""Every page of the web page, looked at by axe-core: it shuts nobody out (WCAG 2.2)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page
from tests import tour
from tests.servers import mail
from tests.servers.chromium import new_context
from tests.servers.provider import Provider
from tests.visitor import PASSWORD

from tamis.options.routes import ROUTES, For

MAIL = (mail.letter(), mail.gtube(), mail.newsletter(), mail.eicar())
COLOURS = {"runOnly": ["color-contrast"]}  # all that is different in the dark


@pytest.fixture(params=["en", "fr"])
def signed_in(chromium: Browser, provider: Provider, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Lend the browser of a user who has got mail, in each language."""
    address = provider.account()
    for one in MAIL:
        provider.send(address, one)
    context = new_context(chromium, script=True, language=request.param)
    tour.sign_in(context, provider.options.url, address, PASSWORD)
    tour.sign_in_operator(context, provider.options.url, provider.operator(), PASSWORD)
    yield context.new_page()
    context.close()


def violations(page: Page) -> list[str]:
    """Return what axe-core finds on a page, in the light and in the dark."""
    page.emulate_media(color_scheme="light")
    found = Axe().run(page).response["violations"]
    page.emulate_media(color_scheme="dark")
    found += Axe().run(page, options=COLOURS).response["violations"]
    return [f"{page.url} {one['id']}: {one['help']}: {one['nodes'][0]['html']}" for one in found]


def test_no_page_shuts_anybody_out(signed_in: Page, provider: Provider) -> None:
    url = provider.options.url
    paths = tour.paths(signed_in.request, url, ROUTES)

    found = []
    for path in paths.values():
        signed_in.goto(url + path)
        found += violations(signed_in)

    assert found == []


def test_no_page_before_signing_in_shuts_anybody_out(chromium: Browser, provider: Provider) -> None:
    context = new_context(chromium, script=True)
    page = context.new_page()

    found = []
    for path in [one.path for one in ROUTES if one.who is For.ANYBODY] + ["/nowhere"]:
        page.goto(provider.options.url + path)
        found += violations(page)
    context.close()

    assert found == []


def test_what_is_wrong_with_a_form_shuts_nobody_out(signed_in: Page, provider: Provider) -> None:
    signed_in.goto(f"{provider.options.url}/reception")
    signed_in.locator("[name='antispam.mark']").fill("much")
    signed_in.locator(".save button").click()
    signed_in.get_by_role("alert").wait_for()

    assert violations(signed_in) == []


def test_links_lead_to_every_page(signed_in: Page, provider: Provider) -> None:
    wanted = {one.name for one in ROUTES if one.show is not None and one.who is not For.ANYBODY}

    found = tour.paths(signed_in.request, provider.options.url, ROUTES)

    assert wanted - set(found) <= {"start", "senders-file"}, "files, and what leads to another page"
