"""What happened to my mail in a real browser: mail of a running milter, found there and put right."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.servers import mail
from tests.servers.chromium import new_context
from tests.servers.provider import Provider, sign_in
from tests.stores import write_settings
from tests.test_options_accessible import violations

from tamis import config as configuration

SENDER = "anna@example.net"  # whom the provider gets mail from


def open_message(page: Page, tag: str) -> None:
    """Go to the newest message with a tag."""
    page.get_by_role("link", name="What happened to my mail").first.click()
    page.get_by_role("listitem").filter(has_text=tag).first.get_by_role("link", name=SENDER).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(SENDER)


def test_a_message_is_found_with_what_became_of_it(page: Page, provider: Provider) -> None:
    address = provider.account()
    for one in (mail.letter(), mail.gtube(), mail.newsletter(), mail.eicar()):
        provider.send(address, one)
    sign_in(page, provider, address)
    page.get_by_role("link", name="What happened to my mail").click()
    messages = page.locator(".messages li")
    expect(messages).to_have_count(4)

    page.get_by_label("What happened").select_option("malware")
    page.get_by_role("button", name="Find").click()

    expect(messages).to_have_count(1)
    messages.get_by_role("link").click()
    expect(page.get_by_text("It was refused, and its sender was told.")).to_be_visible()
    expect(page.get_by_text(re.compile("^Malware was found: Eicar"))).to_be_visible()


def test_messages_are_found_by_sender_and_day_and_the_address_can_be_kept(
    page: Page, provider: Provider
) -> None:
    address = provider.account()
    provider.send(address, mail.letter())
    sign_in(page, provider, address)
    page.get_by_role("link", name="What happened to my mail").click()

    page.get_by_label("Sender").fill("nobody@")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_text("No such message.")).to_be_visible()
    page.get_by_label("Sender").fill("ANNA")
    page.get_by_role("button", name="Find").click()

    expect(page).to_have_url(re.compile(r"\?sender=ANNA"))
    expect(page.locator(".messages li")).to_have_count(1)
    page.get_by_role("link", name="Show everything").click()
    expect(page).to_have_url(re.compile("/mail$"))


def test_what_is_not_spam_is_spam_no_more_until_that_is_taken_back(page: Page, provider: Provider) -> None:
    address = provider.account()
    raw = mail.message("Shall we have lunch on Thursday?\n", sender=SENDER)
    strict = provider.send(address, raw)["score"] - 1.0
    write_settings(configuration.load(str(provider.milter.config)), address, antispam_mark=strict)
    provider.send_until(address, raw, antispam="spam")
    sign_in(page, provider, address)
    open_message(page, "Spam")

    page.get_by_role("button", name="This is not spam").click()
    expect(page.get_by_role("status")).to_contain_text("In force since")
    expect(page.get_by_role("status")).to_contain_text(f"{SENDER} is now on the list “Always allowed”.")
    provider.send_until(address, raw, antispam="ham")

    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("status")).to_contain_text(f"{SENDER} is no longer on the list")
    provider.send_until(address, raw, antispam="spam")


@pytest.mark.parametrize(
    ("button", "wanted"),
    [
        ("This is spam", {"antispam": "spam", "reasons": ["SENDER_BLOCKED"], "score": 100.0}),
        ("This is a newsletter", {"graymail": "newsletter"}),
        ("This is from a social network", {"graymail": "social"}),
    ],
)
def test_the_next_message_is_what_its_sender_was_said_to_send(
    page: Page, provider: Provider, button: str, wanted: dict[str, object]
) -> None:
    address = provider.account()
    raw = mail.message("Shall we have lunch on Thursday?\n", sender=SENDER)
    provider.send_until(address, raw, antispam="ham", graymail="none")
    sign_in(page, provider, address)
    open_message(page, SENDER)

    page.get_by_label("All of example.net").check()
    page.get_by_role("button", name=button).click()
    expect(page.get_by_role("status")).to_contain_text("@example.net is now on the list")

    provider.send_until(address, raw, **wanted)


def test_what_was_put_right_and_what_was_mistyped_shut_nobody_out(
    chromium: Browser, provider: Provider
) -> None:
    address = provider.account()
    provider.send(address, mail.letter())
    context = new_context(chromium, script=True)  # axe-core needs it
    page = context.new_page()
    sign_in(page, provider, address)
    open_message(page, SENDER)

    page.get_by_role("button", name="This is spam").click()
    expect(page.get_by_role("status")).to_be_visible()
    found = violations(page)
    page.goto(f"{provider.options.url}/mail?day=soon")
    expect(page.get_by_role("alert")).to_be_visible()
    found += violations(page)
    context.close()

    assert found == []


def test_a_phone_shows_all_of_it_without_scrolling_sideways(chromium: Browser, provider: Provider) -> None:
    address = provider.account()
    provider.send(address, mail.spam())
    context = new_context(chromium, script=False)
    page = context.new_page()
    page.set_viewport_size({"width": 320, "height": 640})  # WCAG 1.4.10
    sign_in(page, provider, address)

    widths = []
    open_message(page, SENDER)
    widths.append(page.evaluate("document.documentElement.scrollWidth"))
    page.go_back()
    widths.append(page.evaluate("document.documentElement.scrollWidth"))
    context.close()

    assert widths == [320, 320]
