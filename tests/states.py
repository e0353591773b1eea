"""States of the web page that no tour by links finds: what went wrong, what is empty, what is over.

Each is reached as a user reaches it, in a real browser, on web pages and a store of their own.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from playwright.sync_api import Page
from tests.own_tickets import outcome, sent
from tests.stages import OPERATOR, Stage, Tables, now, press
from tests.stores import keep, write_settings
from tests.visitor import PASSWORD
from tests.web import set_password

from tamis.options.doorkeeper import OF_AN_ACCOUNT
from tamis.ticket import Action

WRONG = "not the password"
ANOTHER = "staple of the horse"
MANY = 60  # messages, more than a page of them has

State: TypeAlias = Callable[[Stage], Page]
"""Brings a page to a state."""

OPEN: Tables = {
    "options": {"sign_in": ["password", "link"], "contact": "help@example.org"},
    "retention": {"preset": "mailo"},
    "notices": {"smtp": "inet:127.0.0.1:9", "sender": "postmaster@example.org"},
}
LOCKED: Tables = {
    "milter": {"mode": "shadow"},
    "options": {"sign_in": ["link"]},
    "users": {"may_change": []},
    "users.defaults": {"senders.blocked": ["@rude.example"], "learning": "off"},
    "outgoing": {"graymail": False},
}
AWAY: Tables = {"options": {"sign_in": ["imap"]}, "options.imap": {"server": "inet:127.0.0.1:9"}}


def signed_out(stage: Stage) -> Page:
    """Show what is told after signing out."""
    page = stage.enter()
    return press(page, ".who button")


def sign_in_wrong(stage: Stage) -> Page:
    """Show a wrong password."""
    return stage.send(stage.go("/sign-in"), "main", address=stage.account, password=WRONG)


def sign_in_too_many(stage: Stage) -> Page:
    """Show that there were too many attempts."""
    page = stage.go("/sign-in")
    for _ in range(OF_AN_ACCOUNT + 1):
        stage.send(page, "main", address=stage.account, password=WRONG)
    return page


def link_expired(stage: Stage) -> Page:
    """Show a link that came too late, which looks as one that was used."""
    return stage.go(stage.link(seconds=-1))


def form_too_old(stage: Stage) -> Page:
    """Show a form that another browser was given."""
    page = stage.go("/sign-in")
    stage.context.clear_cookies()
    return stage.send(page, "main", address=stage.account, password=WRONG)


def form_lost(stage: Stage) -> Page:
    """Show that a form came when its session was over."""
    page = stage.enter("/sign-ins")
    set_password(stage.config, stage.account, now=now())
    return press(page, "[value=delete]")


def store_away(stage: Stage) -> Page:
    """Show that the store cannot be written to."""
    page = stage.enter()
    with contextlib.closing(sqlite3.connect(stage.config.store.url.removeprefix("sqlite:///"))) as other:
        other.execute("BEGIN IMMEDIATE")
        page.locator("#antispam").uncheck()
        return press(page, ".save button")


def reception_wrong(stage: Stage) -> Page:
    """Show a number of points that is none."""
    page = stage.enter()
    page.locator("[name='antispam.mark']").fill("much")
    return press(page, ".save button")


def reception_saved(stage: Stage) -> Page:
    """Show what was saved, with a filter that is off."""
    page = stage.enter()
    page.locator("#antispam").uncheck()
    page.locator("[name='graymail.newsletter']").select_option("file")
    return press(page, ".save button")


def reception_restricted(stage: Stage) -> Page:
    """Show the filters of who has restricted the use of his data."""
    page = restricted(stage)
    page.goto(f"{stage.url}/reception")
    return page


def senders_full(stage: Stage) -> Page:
    """Show lists, one of which was changed just now, for who has the filters of some off."""
    write_settings(
        stage.config,
        stage.account,
        graymail="off",
        senders_allowed=("friend@example.net", "@club.example", "@*.example.edu"),
        senders_newsletter=("a-rather-long-address-of-a-newsletter@mailing.of-a-bookshop.example.com",),
    )
    return stage.send(stage.enter("/senders"), "#blocked-title ~ form", sender="@rude.example")


def senders_wrong(stage: Stage) -> Page:
    """Show an entry that is none."""
    return stage.send(stage.enter("/senders"), "#blocked-title ~ form", sender="everybody in rude.example")


def senders_text_wrong(stage: Stage) -> Page:
    """Show a text with lines that are no entries."""
    lines = "friend@example.net\neverybody\n@club.example\nmy aunt <aunt@example.net>"
    return stage.send(stage.enter("/senders/allowed"), "main", text=lines)


def senders_text_changed(stage: Stage) -> Page:
    """Show that the list was changed elsewhere meanwhile."""
    page = stage.enter("/senders/allowed")
    write_settings(stage.config, stage.account, senders_allowed=("friend@example.net",))
    return stage.send(page, "main", text="@club.example")


def senders_imported(stage: Stage) -> Page:
    """Show a list that was imported, longer than what the page shows of it."""
    lines = "\n".join(f"reader{number}@example.net" for number in range(MANY))
    return stage.send(stage.enter("/senders/newsletters"), "main", text=lines)


def mail_empty(stage: Stage) -> Page:
    """Show that there was no message so far."""
    return stage.enter("/mail")


def mail_full(stage: Stage) -> Page:
    """Show the second of several pages, as somebody finds them who looks for a sender."""
    keep(stage.config, [stage.came(minutes=number) for number in range(MANY)])
    page = stage.enter("/mail?sender=bob%40example.net")
    return press(page, "[rel=next]")


def mail_none(stage: Stage) -> Page:
    """Show that nothing was found."""
    return stage.enter("/mail?sender=nobody%40example.net&day=2026-11-02&kind=spam")


def mail_wrong(stage: Stage) -> Page:
    """Show a day and a kind that are none."""
    return stage.enter("/mail?day=soon&kind=good")


def message_spam(stage: Stage) -> Page:
    """Show spam."""
    return stage.message(stage.spam())


def message_malware(stage: Stage) -> Page:
    """Show malware."""
    found = outcome("ham", Action.REFUSE, antivirus="infected", malware="Win.Test.EICAR_HDB-1")
    return stage.message(stage.came(found))


def message_sent(stage: Stage) -> Page:
    """Show a message that the user sent."""
    ticket = sent("carol@example.net", "a-rather-long-address-of-somebody@mailing.of-a-bookshop.example.com")
    return stage.message(replace(ticket, sender=stage.account, sender_account=stage.account))


def message_corrected(stage: Stage) -> Page:
    """Show what was put right."""
    page = message_spam(stage)
    return press(page, "[value='not-spam']")


def message_undone(stage: Stage) -> Page:
    """Show that it was taken back."""
    page = message_corrected(stage)
    return press(page, "[name=undo]")


def message_put_off(stage: Stage) -> Page:
    """Show a message that could not be looked at, for who has switched filters off since."""
    write_settings(stage.config, stage.account, antispam="off", graymail="off")
    found = outcome("error", Action.TEMPFAIL, antivirus="error", graymail="error")
    return stage.message(stage.came(found))


def sign_ins_others(stage: Stage) -> Page:
    """Show other browsers, one of which was just signed out."""
    for _ in range(3):
        stage.enter().close()
        stage.context.clear_cookies()
    page = stage.enter("/sign-ins")
    return press(page, "li:last-child [formaction]")


def password_wrong(stage: Stage) -> Page:
    """Show a wrong password where another one is set."""
    set_password(stage.config, stage.account, now=now())
    page = stage.enter("/sign-ins/password")
    return stage.send(page, "main", old=WRONG, new=ANOTHER, again=ANOTHER)


def password_not_the_same(stage: Stage) -> Page:
    """Show a new password that was mistyped once."""
    set_password(stage.config, stage.account, now=now())
    page = stage.enter("/sign-ins/password")
    return stage.send(page, "main", old=PASSWORD, new=ANOTHER, again=PASSWORD)


def password_changed(stage: Stage) -> Page:
    """Show that it was changed."""
    set_password(stage.config, stage.account, now=now())
    page = stage.enter("/sign-ins/password")
    return stage.send(page, "main", old=PASSWORD, new=ANOTHER, again=ANOTHER)


def restricted(stage: Stage) -> Page:
    """Show that the use of the data is restricted."""
    page = stage.enter("/my-data")
    return press(page, "[value=restrict]")


def closed(stage: Stage) -> Page:
    """Show a closed account."""
    page = stage.enter("/my-data")
    return press(page, "[value=close]")


def history_full(stage: Stage) -> Page:
    """Show who changed settings: the user, and the operator."""
    set_password(stage.config, stage.account, now=now())
    page = stage.enter()
    page.locator("#learning").check()
    page.locator("#antispam").uncheck()
    press(page, ".save button").goto(f"{stage.url}/my-data/history")
    return page


def history_empty(stage: Stage) -> Page:
    """Show that nobody changed any."""
    return stage.enter("/my-data/history")


def program_made(stage: Stage) -> Page:
    """Show the token of a program."""
    return stage.send(stage.enter("/my-data/programs"), "#new-title ~ form", name="backup at home")


def program_wrong(stage: Stage) -> Page:
    """Show a wrong password where a program is let in."""
    set_password(stage.config, stage.account, now=now())
    page = stage.enter("/my-data/programs")
    return stage.send(page, "#new-title ~ form", name="backup at home", confirm=WRONG)


def program_shut_out(stage: Stage) -> Page:
    """Show that a program was shut out."""
    page = program_made(stage)
    return press(page, "[formaction]")


def erasure_wrong(stage: Stage) -> Page:
    """Show a wrong password where an erasure is asked for, and what would stay."""
    set_password(stage.config, stage.account, now=now())
    keep(stage.config, [stage.came()])
    return stage.send(stage.enter("/my-data/erasure"), "form.card", confirm=WRONG)


def erasure_asked_for(stage: Stage) -> Page:
    """Show what is told once it is asked for."""
    return stage.send(stage.enter("/my-data/erasure"), "form.card", confirm=stage.account)


def about_anybody(stage: Stage) -> Page:
    """Show the notice to who is not signed in."""
    return stage.go("/about")


def operator_wrong(stage: Stage) -> Page:
    """Show a wrong password of an operator."""
    return stage.send(stage.go("/operator/sign-in"), "main", name=OPERATOR, password=WRONG)


def operator_empty(stage: Stage) -> Page:
    """Show the overview before anything has come."""
    return stage.send(stage.go("/operator/sign-in"), "main", name=OPERATOR, password=PASSWORD)


def link_only(stage: Stage) -> Page:
    """Show where there is no form to sign in by."""
    return stage.go("/sign-in")


def reception_locked(stage: Stage) -> Page:
    """Show filters that the operator has set, and that only watch."""
    return stage.enter()


def sign_ins_elsewhere(stage: Stage) -> Page:
    """Show sign-ins where the webmail's password is the only one."""
    return stage.enter("/sign-ins")


def senders_locked(stage: Stage) -> Page:
    """Show lists that the operator keeps."""
    return stage.enter("/senders")


def senders_text_locked(stage: Stage) -> Page:
    """Show the text of a list that the operator keeps."""
    return stage.enter("/senders/blocked")


def message_locked(stage: Stage) -> Page:
    """Show spam that was only watched, where the operator keeps the lists."""
    return stage.message(replace(stage.spam(), mode="shadow"))


SITES: Sequence[tuple[Tables, Mapping[str, State]]] = (
    (
        OPEN,
        {
            "sign-in-out": signed_out,
            "sign-in-wrong": sign_in_wrong,
            "sign-in-too-many": sign_in_too_many,
            "sign-in-link-expired": link_expired,
            "form-too-old": form_too_old,
            "form-lost": form_lost,
            "store-away": store_away,
            "reception-wrong": reception_wrong,
            "reception-saved": reception_saved,
            "reception-restricted": reception_restricted,
            "senders-full": senders_full,
            "senders-wrong": senders_wrong,
            "senders-text-wrong": senders_text_wrong,
            "senders-text-changed": senders_text_changed,
            "senders-imported": senders_imported,
            "mail-empty": mail_empty,
            "mail-full": mail_full,
            "mail-none": mail_none,
            "mail-wrong": mail_wrong,
            "message-spam": message_spam,
            "message-malware": message_malware,
            "message-sent": message_sent,
            "message-corrected": message_corrected,
            "message-undone": message_undone,
            "message-put-off": message_put_off,
            "sign-ins-others": sign_ins_others,
            "password-wrong": password_wrong,
            "password-not-the-same": password_not_the_same,
            "password-changed": password_changed,
            "my-data-restricted": restricted,
            "my-data-closed": closed,
            "history-full": history_full,
            "history-empty": history_empty,
            "programs-made": program_made,
            "programs-wrong": program_wrong,
            "programs-shut-out": program_shut_out,
            "erasure-wrong": erasure_wrong,
            "erasure-asked-for": erasure_asked_for,
            "about-anybody": about_anybody,
            "operator-sign-in-wrong": operator_wrong,
            "operator-empty": operator_empty,
        },
    ),
    (
        LOCKED,
        {
            "sign-in-link-only": link_only,
            "reception-locked": reception_locked,
            "senders-locked": senders_locked,
            "senders-text-locked": senders_text_locked,
            "message-locked": message_locked,
            "sign-ins-elsewhere": sign_ins_elsewhere,
        },
    ),
    (AWAY, {"sign-in-away": sign_in_wrong}),
)
