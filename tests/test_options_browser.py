"""The web page in a real browser, and mail that a running milter then treats as it says."""

from __future__ import annotations

import secrets
import time
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.servers import mail
from tests.servers.chromium import new_context
from tests.servers.provider import KEY, MAILBOX, MAILBOX_PASSWORD, Provider, save, sign_in
from tests.visitor import PASSWORD

from tamis.options.links import Links

FOUND = (
    ("antivirus", mail.eicar(), "infected"),
    ("antispam", mail.gtube(), "spam"),
    ("graymail", mail.newsletter(), "newsletter"),
)


# WCAG 2.2, 2.5.8: 24 by 24 CSS pixels.
TOO_SMALL = """
[...document.querySelectorAll("a, button, input:not([type=hidden]), select")]
.filter(one => !one.classList.contains("skip"))
.filter(one => { const box = one.getBoundingClientRect(); return box.width < 24 || box.height < 24; })
.map(one => one.id || one.textContent)
"""


def test_who_signs_in_sees_his_page_and_nobody_without_the_password(page: Page, provider: Provider) -> None:
    address = provider.account()

    sign_in(page, provider, address, "a wrong password")
    expect(page.get_by_role("alert")).to_have_text("Address or password is wrong.")
    sign_in(page, provider, address)

    expect(page.get_by_role("heading", level=1)).to_have_text("E-mail reception")
    expect(page.get_by_text(address)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out")
    page.goto(f"{provider.options.url}/reception")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_the_mailboxs_password_signs_in(page: Page, provider: Provider) -> None:
    sign_in(page, provider, MAILBOX, MAILBOX_PASSWORD)

    expect(page.get_by_text(MAILBOX)).to_be_visible()


def test_another_password_is_set_by_who_knows_the_one_that_there_is(page: Page, provider: Provider) -> None:
    address, new = provider.account(), "staple of the horse"
    sign_in(page, provider, address)
    page.get_by_role("link", name="Sign-ins").click()
    page.get_by_role("link", name="Change my password").click()

    page.get_by_label("Your current password").fill(PASSWORD)
    page.get_by_label("Your new password").fill(new)
    page.get_by_label("The new one once more").fill(new)
    page.get_by_role("button", name="Change my password").click()
    expect(page.get_by_role("status")).to_contain_text("Your password is changed")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out")
    sign_in(page, provider, address, new)

    expect(page.get_by_role("heading", level=1)).to_have_text("E-mail reception")


def test_a_link_from_the_webmail_signs_in(page: Page, provider: Provider) -> None:
    expires, nonce = str(int(time.time()) + 30), secrets.token_hex(16)
    fields = {"address": "link@example.org", "expires": expires, "nonce": nonce}
    signature = Links(KEY.encode(), 60).signature(*fields.values())

    page.goto(f"{provider.options.url}/sign-in/link?{urlencode(fields | {'signature': signature})}")

    expect(page.get_by_text("link@example.org")).to_be_visible()


def test_whom_the_reverse_proxy_names_is_signed_in(page: Page, provider: Provider) -> None:
    page.set_extra_http_headers({"Remote-User": "header@example.org"})

    page.goto(provider.options.url)
    expect(page.get_by_text("header@example.org")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out")


@pytest.mark.parametrize(("name", "raw", "found"), FOUND, ids=[name for name, _, _ in FOUND])
def test_a_filter_is_off_and_on_for_the_next_message(
    page: Page, provider: Provider, name: str, raw: bytes, found: str
) -> None:
    address = provider.account()
    sign_in(page, provider, address)
    switch = page.get_by_role("switch", name=name.capitalize())
    provider.send_until(address, raw, **{name: found})

    switch.uncheck()
    save(page)
    provider.send_until(address, raw, **{name: "off"}, action="deliver")
    switch.check()
    save(page)
    provider.send_until(address, raw, **{name: found})


def test_actions_that_are_chosen_are_carried_out(page: Page, provider: Provider) -> None:
    address = provider.account()
    sign_in(page, provider, address)

    page.get_by_label("What happens to newsletters").select_option("file")
    page.get_by_label("What happens to spam").select_option("none")
    save(page)

    provider.send_until(address, mail.newsletter(), graymail="newsletter", action="file")
    provider.send_until(address, mail.gtube(), antispam="spam", action="deliver")


def test_senders_are_blocked_and_no_more(page: Page, provider: Provider) -> None:
    address = provider.account()
    sign_in(page, provider, address)
    page.get_by_role("link", name="Senders").click()
    blocked = page.get_by_role("region", name="Blocked")

    blocked.get_by_label("Address").fill("@news.example.net")
    blocked.get_by_role("button", name="Add").click()
    expect(page.get_by_role("status")).to_contain_text("In force since")
    provider.send_until(address, mail.newsletter(), antispam="spam", reasons=["SENDER_BLOCKED"])
    blocked.get_by_role("button", name="Remove @news.example.net").click()
    expect(blocked.get_by_role("listitem")).to_have_count(0)
    provider.send_until(address, mail.newsletter(), antispam="ham")


def test_learning_is_agreed_to(page: Page, provider: Provider) -> None:
    sign_in(page, provider, provider.account())
    learning = page.get_by_role("switch", name="Learning")

    expect(learning).not_to_be_checked()
    learning.check()
    save(page)

    expect(learning).to_be_checked()


def test_every_control_can_be_reached_by_the_keyboard(chromium: Browser, provider: Provider) -> None:
    context = new_context(chromium, script=True)
    page = context.new_page()
    sign_in(page, provider, provider.account())
    page.get_by_role("switch").first.wait_for()
    reached = []
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()")
        )
    small = page.evaluate(TOO_SMALL)
    context.close()

    assert reached[0] == "Skip to the content"
    assert {"antivirus", "antispam", "graymail", "learning", "antispam.action", "Save"} <= set(reached)
    assert small == []


def test_no_page_asks_for_anything_from_elsewhere(chromium: Browser, provider: Provider) -> None:
    context = new_context(chromium, script=True)
    page = context.new_page()
    asked: list[str] = []
    told: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: told.append(message.text))
    sign_in(page, provider, provider.account())
    page.get_by_role("switch").first.wait_for()
    context.close()

    assert [url for url in asked if not url.startswith(provider.options.url)] == []
    assert told == []
