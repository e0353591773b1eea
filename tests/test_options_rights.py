"""What users may have of their data, in a real browser, and mail that a running milter then treats so."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import zipfile
from pathlib import Path

from openpyxl import load_workbook
from playwright.sync_api import Page, expect
from tests.servers import mail
from tests.servers.provider import Provider, sign_in
from tests.visitor import PASSWORD

from tamis import config as configuration
from tamis.store import settings
from tamis.store.database import Database


def status(provider: Provider, address: str) -> str | None:
    config = configuration.load(str(provider.milter.config))
    with contextlib.closing(Database(config.store)) as database, database.reading() as connection:
        return settings.status(connection, address)


def test_a_sign_in_is_deleted_and_other_browsers_are_signed_out(page: Page, provider: Provider) -> None:
    address = provider.account()
    other = provider.options.visitor()
    other.sign_in(address)
    sign_in(page, provider, address)
    page.get_by_role("link", name="Sign-ins").click()
    listed = page.get_by_role("region", name="On record").get_by_role("listitem")
    expect(listed).to_have_count(2)

    page.get_by_role("button", name="Sign out all other browsers").click()
    expect(page.get_by_role("status")).to_have_text("All other browsers are signed out.")
    assert other.get("/reception").status == 303
    listed.filter(has_not_text="this browser").get_by_role("button").click()

    expect(page.get_by_role("status")).to_have_text("Deleted.")
    expect(listed).to_have_count(1)
    page.get_by_role("button", name="Delete all").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out")


def test_the_export_holds_what_became_of_mail_and_opens(
    page: Page, provider: Provider, tmp_path: Path
) -> None:
    address = provider.account()
    provider.send(address, mail.gtube())
    sign_in(page, provider, address)
    page.get_by_role("link", name="My data").click()
    kept = page.get_by_role("region", name="What is kept").get_by_role("listitem")
    expect(kept.filter(has_text="What happened to your mail").locator(".number")).to_have_text("1")

    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()

    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert path.name == f"{address}.zip"
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        (ticket,) = json.loads(archive.read("tickets.json"))
        (row,) = csv.DictReader(io.StringIO(archive.read("tickets.csv").decode()))
        book = load_workbook(io.BytesIO(archive.read("tickets.xlsx")))
    assert ticket["recipients"][0]["antispam"] == row["recipient.antispam"] == "spam"
    assert "spam" in [cell.value for cell in book["tickets"][2]]


def test_a_restriction_holds_for_the_next_message_until_it_is_ended(page: Page, provider: Provider) -> None:
    address = provider.account()
    sign_in(page, provider, address)
    page.get_by_role("link", name="My data").click()
    provider.send_until(address, mail.gtube(), antispam="spam")

    page.get_by_role("button", name="Restrict", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("no filter looks at your next message")
    provider.send_until(address, mail.gtube(), antispam="off", antivirus="off", action="deliver")
    page.get_by_role("button", name="End the restriction").click()

    expect(page.get_by_role("status")).to_contain_text("your filters look at your next message")
    provider.send_until(address, mail.gtube(), antispam="spam")


def test_an_account_is_closed_and_reopened_as_it_was(page: Page, provider: Provider) -> None:
    address = provider.account()
    sign_in(page, provider, address)
    page.get_by_role("switch", name="Antispam").uncheck()
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="My data").click()

    page.get_by_role("button", name="Close my account").click()
    expect(page.get_by_role("status")).to_have_text("Your account is closed.")
    assert status(provider, address) == "closed"
    provider.send_until(address, mail.gtube(), antispam="off")
    page.get_by_role("button", name="Reopen my account").click()

    expect(page.get_by_role("status")).to_contain_text("open again")
    assert status(provider, address) == "active"
    page.get_by_role("link", name="Who changed my settings").click()
    changes = page.get_by_role("region", name="Changes").get_by_role("listitem")
    expect(changes.filter(has_text="Account reopened")).to_contain_text("by you")


def test_after_an_erasure_mail_is_treated_as_that_of_who_has_no_settings(
    page: Page, provider: Provider
) -> None:
    address = provider.account()
    sign_in(page, provider, address)
    page.get_by_role("switch", name="Antispam").uncheck()
    page.get_by_role("button", name="Save").click()
    provider.send_until(address, mail.gtube(), antispam="off")
    page.get_by_role("link", name="My data").click()
    page.get_by_role("link", name="Show what would go").click()

    page.get_by_label("Your password").fill("a wrong password")
    page.get_by_role("button", name="Erase my data for good").click()
    expect(page.get_by_role("alert")).to_have_text("This is not the password that you sign in with.")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Erase my data for good").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Your data is being erased")
    provider.send_until(address, mail.gtube(), antispam="spam")
    page.goto(f"{provider.options.url}/my-data")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
