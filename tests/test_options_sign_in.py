"""Signing in to the web page by a local password, and what the browser holds."""

from __future__ import annotations

import contextlib
from ipaddress import ip_network
from pathlib import Path

import pytest
from starlette.requests import Request
from tests.commands import Tamis
from tests.stores import NOON, make_config, on_every_store, other
from tests.web import CHEAP, Web, running

from tamis.desk import erasure
from tamis.desk.purge import Purge
from tamis.options import client
from tamis.options.attempts import MOST_KEYS, Attempts
from tamis.options.doorkeeper import (
    OF_A_CLIENT,
    OF_ALL_NAMES,
    OF_AN_ACCOUNT,
    SPAN,
    WAITING,
    Doorkeeper,
    TooMany,
)
from tamis.options.making import ENTRIES
from tamis.options.pool import Clerk
from tamis.passwords import Passwords
from tamis.service import parts
from tamis.store.database import Database
from tamis.store.pace import Pace

QUICK = Pace(sleep=lambda seconds: None)


def rows(web: Web, statement: str) -> list[tuple[object, ...]]:
    with other(web.config) as connection:
        return [tuple(row) for row in connection.execute(statement).fetchall()]


def test_who_is_not_signed_in_is_led_to_the_form_and_back(web: Web) -> None:
    web.password("anna@example.org")
    visitor = web.visitor()

    page = visitor.get("/reception")
    done = visitor.sign_in(next="reception")

    assert (page.status, page.location) == (303, "/sign-in?next=reception")
    assert (done.status, done.location) == (303, "/reception")
    assert visitor.get("/reception").status == 200


@on_every_store
def test_a_sign_in_is_on_record_and_the_last_of_its_account(web: Web) -> None:
    web.signed_in()

    assert rows(web, "SELECT account, kind, address FROM session") == [
        ("anna@example.org", "options", "192.0.2.7")
    ]
    assert rows(web, "SELECT last_sign_in FROM account") == [(NOON,)]


def test_an_alias_of_one_account_signs_in_to_it(web: Web, tamis: Tamis) -> None:
    tamis("alias", "add", "a.smith@example.org", "anna@example.org")
    web.password("anna@example.org")
    visitor = web.visitor()

    visitor.sign_in(" A.Smith@Example.org ")

    assert "anna@example.org" in visitor.get("/reception").text


@pytest.mark.parametrize("ours", ["exämple.org", "xn--exmple-cua.org"])
@pytest.mark.parametrize("typed", ["änna@exämple.org", "Änna@xn--exmple-cua.org"])
def test_addresses_beyond_ascii_are_known_whichever_way_they_are_typed(
    tmp_path: Path, ours: str, typed: str
) -> None:
    config = make_config(tmp_path)
    config = config.model_copy(update={"mail": config.mail.model_copy(update={"domains": (ours,)})})
    with contextlib.closing(Database(config.store)) as database:
        clerk = Clerk(database, parts.named_accounts(config, database))

        assert clerk.account(typed) == f"änna@{ours}"
        assert clerk.account("änna@exämple.net") is None


def test_the_store_holds_nothing_that_a_browser_could_send(web: Web) -> None:
    visitor = web.signed_in()

    found = Path(web.config.store.url.removeprefix("sqlite:///"))
    octets = b"".join(path.read_bytes() for path in found.parent.glob("tamis.db*"))

    assert b"correct horse" not in octets
    assert visitor.cookies["tamis"].encode() not in octets


@pytest.mark.parametrize(
    ("address", "password"),
    [
        ("anna@example.org", "wrong"),
        ("nobody@example.org", "correct horse battery"),
        ("anna@elsewhere.example", "correct horse battery"),
        ("anna", "correct horse battery"),
        ("a@b@example.org", "correct horse battery"),
        ("", ""),
        ("anna@example.org", "x" * 5000),
    ],
)
def test_whatever_is_wrong_is_told_in_the_same_words(web: Web, address: str, password: str) -> None:
    web.password("anna@example.org")

    page = web.visitor().sign_in(address, password)

    assert page.status == 401
    assert page.text.count("Address or password is wrong.") == 1
    assert rows(web, "SELECT count(*) FROM session") == [(0,)]


class Counting(Passwords):
    """Notes whether there was a hash to verify."""

    def __init__(self) -> None:
        super().__init__(CHEAP)
        self.asked: list[bool] = []

    def verify(self, digest: str | None, password: str) -> bool:
        """Tell whether a password is the one of a hash."""
        self.asked.append(digest is not None)
        return super().verify(digest, password)


def test_an_unknown_account_costs_as_much_as_a_wrong_password(tmp_path: Path) -> None:
    passwords = Counting()
    with running(tmp_path, passwords=passwords) as web:
        web.password("anna@example.org")
        for address in ("anna@example.org", "nobody@example.org", "anna@elsewhere.example"):
            web.visitor().sign_in(address, "wrong")

    assert passwords.asked == [True, False, False]


def test_signing_in_gives_another_cookie_than_the_form_had(web: Web) -> None:
    web.password("anna@example.org")
    visitor = web.visitor()
    visitor.get("/sign-in")
    before = visitor.cookies["tamis"]

    visitor.sign_in()

    assert visitor.cookies["tamis"] != before


def test_the_cookie_is_for_http_alone_and_ends_with_the_browser(web: Web) -> None:
    given = web.visitor().get("/sign-in").headers["set-cookie"]

    assert given.partition("; ")[2] == "HttpOnly; Path=/; SameSite=lax"


def test_behind_https_the_cookie_is_bound_to_it_and_to_the_host(tmp_path: Path) -> None:
    with running(tmp_path, '[options]\nurl = "https://mail.example.org/options"') as web:
        given = web.visitor().get("/options/sign-in").headers["set-cookie"]

    assert given.startswith("__Host-tamis=")
    assert given.partition("; ")[2] == "HttpOnly; Path=/; SameSite=lax; Secure"


def test_all_paths_begin_with_that_of_the_url(tmp_path: Path) -> None:
    with running(tmp_path, '[options]\nurl = "https://mail.example.org/options/"') as web:
        page = web.visitor().get("/options/reception")
        elsewhere = web.visitor().get("/reception")
        form = web.visitor().get("/options/sign-in")

    assert (page.status, page.location) == (303, "/options/sign-in?next=reception")
    assert elsewhere.status == 404
    assert 'action="/options/sign-in"' in form.text and 'href="/options/static/' in form.text


def test_no_path_leads_to_where_a_request_says_that_it_is(tmp_path: Path) -> None:
    with running(tmp_path, '[options]\nurl = "https://mail.example.org/options"') as web:
        visitor = web.visitor()
        visitor.sent = {"host": "evil.example"}
        bare = visitor.get("/options")
        slashed = [
            visitor.get(f"/options/{one}") for one in ("reception/", "operator/", "api/v1", "api/v1/account/")
        ]

    assert (bare.status, bare.location) == (303, "/options/")
    assert [(one.status, one.location) for one in slashed] == [(404, "")] * 4


@on_every_store
def test_sign_out_ends_the_session_in_the_store_and_in_the_browser(web: Web) -> None:
    visitor = web.signed_in()
    held = dict(visitor.cookies)

    page = visitor.post("/sign-out", {"token": visitor.get("/reception").token})

    assert (page.status, page.location, visitor.cookies) == (303, "/sign-in?out=yes", {})
    assert rows(web, "SELECT count(*) FROM web_session") == [(0,)]
    visitor.cookies = held
    assert visitor.get("/reception").status == 303


@pytest.mark.parametrize("wrong", ["", "x", "another's"])
@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/reception"])
def test_a_form_without_the_token_of_its_browser_does_nothing(web: Web, path: str, wrong: str) -> None:
    visitor = web.signed_in()
    token = web.signed_in("bob@example.org").get("/reception").token if wrong == "another's" else wrong

    page = visitor.post(path, {"token": token, "address": "anna@example.org", "antispam": ""})

    assert page.status == 403
    assert visitor.get("/reception").status == 200
    assert rows(web, "SELECT count(*) FROM setting") == [(0,)]


def test_attempts_at_one_account_are_limited_whether_there_is_one_or_not(web: Web) -> None:
    web.password("anna@example.org")
    for address in ("anna@example.org", "nobody@example.org"):
        for number in range(OF_AN_ACCOUNT):
            assert web.visitor(client=f"192.0.2.{number}").sign_in(address, "wrong").status == 401

        page = web.visitor(client="192.0.2.200").sign_in(address)

        assert page.status == 429
        assert "Wait 15 min" in page.text and "aria-invalid" not in page.text
    web.clock[0] += SPAN
    assert web.visitor().sign_in().status == 303


def test_details_of_an_address_are_no_further_attempts(web: Web) -> None:
    web.password("anna@example.org")
    for number in range(OF_AN_ACCOUNT):
        visitor = web.visitor(client=f"192.0.2.{number}")
        assert visitor.sign_in(f"Anna+{number}@example.org", "wrong").status == 401

    assert web.visitor(client="192.0.2.99").sign_in("anna@example.org").status == 429


def test_attempts_at_one_account_by_all_its_names_are_limited_and_nobody_is_told(
    web: Web, tamis: Tamis
) -> None:
    web.password("anna@example.org")
    aliases = [f"a{number}@example.org" for number in range(OF_ALL_NAMES // 9 + 1)]
    for alias in aliases:
        tamis("alias", "add", alias, "anna@example.org")
    for number in range(OF_ALL_NAMES):
        visitor = web.visitor(client=f"192.0.2.{number}")
        assert visitor.sign_in(aliases[number // 9], "wrong").status == 401

    page = web.visitor(client="192.0.2.200").sign_in(aliases[-1])

    assert page.status == 401
    assert "Address or password is wrong." in page.text
    web.clock[0] += SPAN
    assert web.visitor().sign_in(aliases[-1]).status == 303


def test_who_is_to_wait_is_told_how_long_by_the_header_too(web: Web) -> None:
    for _ in range(OF_AN_ACCOUNT):
        web.visitor().sign_in("anna@example.org", "wrong")

    assert web.visitor().sign_in("anna@example.org", "wrong").headers["retry-after"] == "900"


def test_letters_and_accents_apart_are_the_same_password(web: Web) -> None:
    web.password("anna@example.org", "sésame, ouvre-toi")

    assert web.visitor().sign_in("anna@example.org", "se\u0301same, ouvre-toi").status == 303


def test_who_is_active_stays_signed_in_however_soon_others_are_not(tmp_path: Path) -> None:
    with running(tmp_path, '[options]\nidle = "3s"\n') as web:
        visitor = web.signed_in()
        for _ in range(4):
            web.clock[0] += 1500
            assert visitor.get("/reception").status == 200
        web.clock[0] += 3000
        assert visitor.get("/reception").status == 303


def test_attempts_from_one_place_are_limited(web: Web) -> None:
    web.password("anna@example.org")
    for number in range(OF_A_CLIENT):
        # All addresses of one network, as one subscriber has them.
        visitor = web.visitor(client=f"2001:db8::{number:x}")
        assert visitor.sign_in(f"user{number}@example.org", "wrong").status == 401

    assert web.visitor(client="2001:db8::ffff:1").sign_in().status == 429
    assert web.visitor(client="2001:db8:0:1::1").sign_in().status == 303


def test_who_succeeds_may_try_as_often_again(web: Web) -> None:
    web.password("anna@example.org")
    for _ in range(OF_AN_ACCOUNT - 1):
        web.visitor().sign_in("anna@example.org", "wrong")
    web.visitor().sign_in()

    assert web.visitor().sign_in("anna@example.org", "wrong").status == 401


def test_people_who_share_an_address_all_sign_in(web: Web) -> None:
    for number in range(OF_A_CLIENT + 5):
        web.password(f"user{number}@example.org")

        assert web.visitor().sign_in(f"user{number}@example.org").status == 303


def test_who_has_one_account_may_not_try_more_often_at_others(web: Web) -> None:
    web.password("anna@example.org")
    for number in range(OF_A_CLIENT):
        web.visitor().sign_in()
        web.visitor().sign_in(f"user{number}@example.org", "wrong")

    assert web.visitor().sign_in("bob@example.org", "wrong").status == 429


def test_nobody_fills_the_store_with_sign_ins(web: Web) -> None:
    web.password("anna@example.org")
    for _ in range(ENTRIES):
        assert web.visitor().sign_in().status == 303

    assert web.visitor().sign_in().status == 429
    assert rows(web, "SELECT count(*) FROM session") == [(ENTRIES,)]


def test_who_comes_while_many_wait_has_made_no_attempt() -> None:
    door = Doorkeeper(Passwords(CHEAP), None)
    door._waiting = WAITING
    for _ in range(OF_AN_ACCOUNT):
        with pytest.raises(TooMany):
            door.admit("anna@example.org", "192.0.2.7", now=NOON)
    door._waiting = 0

    door.admit("anna@example.org", "192.0.2.7", now=NOON)


def test_counts_of_attempts_are_bounded() -> None:
    attempts = Attempts(1, 1000)
    for number in range(MOST_KEYS + 10):
        attempts.wait(str(number), 0)

    assert len(attempts._counts) == MOST_KEYS
    assert attempts.wait(str(MOST_KEYS), 0) == 1000


def test_the_client_of_a_believed_proxy_is_the_one_that_it_names(tmp_path: Path) -> None:
    with running(tmp_path, '[options]\nproxies = ["192.0.2.0/30"]') as web:
        web.password("anna@example.org")
        for client, forwarded in (
            ("192.0.2.1", "203.0.113.9"),
            ("192.0.2.1", "10.0.0.1, 203.0.113.8, 192.0.2.2"),
            ("192.0.2.7", "203.0.113.7"),  # no proxy of ours
            (None, "203.0.113.6"),  # a unix socket
            ("192.0.2.1", "rubbish"),
        ):
            visitor = web.visitor(client=client)
            visitor.sent = {"x-forwarded-for": forwarded}
            visitor.sign_in()
        found = [one for (one,) in rows(web, "SELECT address FROM session ORDER BY id")]

    assert sorted(found, key=str) == ["192.0.2.1", "192.0.2.7", "203.0.113.6", "203.0.113.8", "203.0.113.9"]


def test_a_proxys_own_field_counts_where_the_client_sends_one_too() -> None:
    fields = [(b"x-forwarded-for", b"203.0.113.66"), (b"x-forwarded-for", b"203.0.113.9")]
    request = Request({"type": "http", "headers": fields, "client": ("192.0.2.1", 1)})

    assert client.address(request, [ip_network("192.0.2.1/32")]) == "203.0.113.9"


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ("203.0.113.9:41234", "203.0.113.9"),
        ("203.0.113.66, 203.0.113.9:41234 , 192.0.2.1:80", "203.0.113.9"),
        ("[2001:db8::9]:41234", "2001:db8::9"),
        ("[2001:db8::9]", "2001:db8::9"),
        ("2001:db8::9", "2001:db8::9"),
        ("[::ffff:203.0.113.9]:41234", "203.0.113.9"),
        ("203.0.113.9:port", "192.0.2.1"),
        ("203.0.113.9:", "192.0.2.1"),
        ("[2001:db8::9", "192.0.2.1"),
        ("[]:41234", "192.0.2.1"),
        ("", "192.0.2.1"),
    ],
)
def test_a_port_that_a_proxy_writes_behind_the_client_is_no_part_of_it(forwarded: str, expected: str) -> None:
    fields = [(b"x-forwarded-for", forwarded.encode())]
    request = Request({"type": "http", "headers": fields, "client": ("192.0.2.1", 1)})

    assert client.address(request, [ip_network("192.0.2.1/32")]) == expected


def test_a_client_of_ipv4_is_known_as_such_on_a_socket_for_both(tmp_path: Path) -> None:
    with running(tmp_path, '[options]\nproxies = ["192.0.2.1/32"]') as web:
        web.password("anna@example.org")
        for peer in ("::ffff:192.0.2.1", "::ffff:198.51.100.7"):
            visitor = web.visitor(client=peer)
            visitor.sent = {"x-forwarded-for": "203.0.113.9"}
            visitor.sign_in()
        found = rows(web, "SELECT address FROM session ORDER BY address")

    assert found == [("198.51.100.7",), ("203.0.113.9",)]


@on_every_store
def test_a_session_ends_some_time_after_its_last_page(web: Web) -> None:
    visitor = web.signed_in()
    for _ in range(3):
        web.clock[0] += 50 * 60_000
        assert visitor.get("/reception").status == 200

    web.clock[0] += 61 * 60_000

    assert visitor.get("/reception").status == 303


def test_a_session_ends_some_time_after_its_start(web: Web) -> None:
    visitor = web.signed_in()
    for _ in range(14):
        web.clock[0] += 50 * 60_000
        visitor.get("/reception")

    web.clock[0] += 30 * 60_000

    assert visitor.get("/reception").status == 303


@on_every_store
def test_a_new_password_signs_everybody_out(web: Web, tamis: Tamis) -> None:
    visitor = web.signed_in()

    web.password("anna@example.org", "another long password")

    assert visitor.get("/reception").status == 303
    assert web.visitor().sign_in().status == 401


def test_a_password_that_is_changed_while_it_is_verified_signs_nobody_in(tmp_path: Path) -> None:
    class Changing(Passwords):
        """Lets the password be changed meanwhile."""

        def verify(self, digest: str | None, password: str) -> bool:
            """Tell whether a password is the one of a hash."""
            is_right = super().verify(digest, password)
            web.password("anna@example.org", "another long password")
            return is_right

    with running(tmp_path, passwords=Changing(CHEAP)) as web:
        web.password("anna@example.org")

        assert web.visitor().sign_in().status == 401
        assert rows(web, "SELECT count(*) FROM web_session") == [(0,)]


def test_deleting_sign_ins_signs_out_who_is_still_there(web: Web, tamis: Tamis) -> None:
    anna, bob = web.signed_in(), web.signed_in("bob@example.org")

    assert tamis("account", "sessions", "anna@example.org", "--delete-all").status == 0

    assert anna.get("/reception").status == 303
    assert bob.get("/reception").status == 200


@on_every_store
def test_an_erased_account_has_no_session_and_no_password(web: Web) -> None:
    web.signed_in()
    with contextlib.closing(Database(web.config.store)) as database:
        erasure.erase(database, "anna@example.org", web.config.rules, notify=False, now=NOON + 1, pace=QUICK)

    for table in ("web_session", "local_password"):
        assert rows(web, f"SELECT count(*) FROM {table}") == [(0,)]  # noqa: S608


@on_every_store
def test_expired_sessions_go_with_a_purge(web: Web) -> None:
    web.signed_in()
    web.clock[0] += 30 * 60_000
    web.signed_in("bob@example.org")
    with contextlib.closing(Database(web.config.store)) as database:
        purge = Purge(database, web.config.rules, now=NOON + 60 * 60_000, pace=QUICK)
        purge.plan()
        planned = purge.tally.lines()
        purge = Purge(database, web.config.rules, now=NOON + 60 * 60_000, pace=QUICK)
        purge.run()

    assert rows(web, "SELECT account FROM web_session") == [("bob@example.org",)]
    assert [(one["class"], one["rule"], one["count"]) for one in planned] == [("web_session", "expired", 1)]
    assert purge.tally.lines() == planned
