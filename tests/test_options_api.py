"""The API: what programs may ask, how they sign in, and what they are told."""

from __future__ import annotations

import contextlib
import io
import json
import re
import zipfile
from pathlib import Path

import pytest
from tests.commands import Tamis
from tests.stores import NOON, keep, make_ticket, on_every_store, other
from tests.web import Program, Web, running

from tamis.desk.records import changes
from tamis.options.api.calls import CALLS
from tamis.options.api.gate import OF_AN_ACCOUNT, OF_STRANGERS
from tamis.options.attempts import MINUTE
from tamis.options.forms import LONGEST
from tamis.store.api_tokens import Scope
from tamis.store.database import Database

ROOT = Path(__file__).parents[1]
ANNA = "anna@example.org"


@pytest.fixture
def anna(web: Web) -> Program:
    """Return a program of anna's that may change things."""
    return web.program(ANNA)


@pytest.fixture
def server(web: Web) -> Program:
    """Return a webmail's server that acts for anna."""
    found = web.program(None, name="roundcube")
    found.sent["tamis-account"] = ANNA
    return found


def records(web: Web) -> list[tuple[object, ...]]:
    with other(web.config) as connection:
        return [
            tuple(row) for row in connection.execute("SELECT account, actor, key, new FROM setting_change")
        ]


def test_an_account_is_shown_as_the_command_shows_it(anna: Program, tamis: Tamis) -> None:
    (wanted,) = tamis("account", "show", ANNA, "--json").lines

    answer = anna.get("/account")

    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json == wanted


@on_every_store
def test_settings_are_changed_as_by_the_user(web: Web, anna: Program, tamis: Tamis) -> None:
    answer = anna.send(
        "PATCH", "/account", {"antispam": "off", "antispam.mark": 6, "senders.allowed": ["@a.example"]}
    )

    (shown,) = tamis("account", "show", ANNA, "--json").lines
    assert answer.status == 200
    assert answer.json == shown
    assert shown["own"] == {"antispam": "off", "antispam.mark": 6.0, "senders.allowed": ["@a.example"]}
    assert {(row[1], row[2]) for row in records(web)} >= {("user", key) for key in shown["own"]}


def test_nothing_is_recorded_where_nothing_changes(web: Web, anna: Program) -> None:
    anna.send("PATCH", "/account", {"antispam": "off"})
    before = records(web)

    assert anna.send("PATCH", "/account", {"antispam": "off"}).status == 200

    assert records(web) == before


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ({"antispam": "perhaps"}, "/antispam"),
        ({"antispam": "off", "antivirrus": "off"}, "/antivirrus"),
        ({"antispam": "off", "antispam.mark": 1e9}, "/antispam.mark"),
        ({"antispam": "off", "senders.allowed": ["nobody"]}, "/senders.allowed/0"),
        ({"antispam": False}, "/antispam"),
    ],
)
def test_what_does_not_fit_is_told_and_changes_nothing(
    web: Web, anna: Program, sent: dict[str, object], pointer: str
) -> None:
    answer = anna.send("PATCH", "/account", sent)

    assert (answer.status, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json["errors"][0]["pointer"] == pointer
    assert anna.get("/account").json["own"] == {}


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"antispam=off", "application/x-www-form-urlencoded", 415),
        (b"{}", "", 415),
        (b'"' + b"x" * LONGEST + b'"', "application/json", 413),
        (b"[" * 100_000, "application/json", 400),
        (b"[]", "application/json", 422),
        (b'{"antispam.mark": NaN}', "application/json", 422),
    ],
)
def test_a_body_that_is_none_of_ours_is_refused(anna: Program, body: bytes, kind: str, status: int) -> None:
    answer = anna.ask("PATCH", "/account", body, {"content-type": kind})

    assert answer.status == answer.json["status"] == status


def test_what_is_locked_is_not_changed(tmp_path: Path) -> None:
    with running(tmp_path, '[users]\nmay_change = ["antispam"]') as web:
        answer = web.program(ANNA).send("PATCH", "/account", {"antispam": "off", "graymail": "off"})
        senders = web.program(ANNA).send("PATCH", "/senders/allowed", {"add": ["@a.example"]})
        own = web.program(ANNA).get("/account").json["own"]

    assert (answer.status, senders.status, own) == (409, 409, {})
    assert [one["pointer"] for one in answer.json["errors"]] == ["/graymail"]


def test_senders_are_added_and_removed_one_by_one(anna: Program) -> None:
    anna.send("PATCH", "/senders/blocked", {"add": ["eve@example.net", "@spam.example"]})

    answer = anna.send("PATCH", "/senders/blocked", {"add": ["@a.example"], "remove": ["eve@example.net"]})

    assert answer.json == {"own": ["@spam.example", "@a.example"], "others": []}
    assert anna.get("/senders").json["blocked"] == answer.json
    assert anna.send("PATCH", "/senders/enemies", {}).status == 404


def test_tickets_are_shown_as_their_user_may_see_them(web: Web, anna: Program) -> None:
    given = [make_ticket(ANNA, milliseconds=NOON - one) for one in range(30)]
    keep(web.config, [*given, make_ticket()])

    first = anna.get("/tickets").json
    rest = anna.get(f"/tickets?before={first['older']}").json

    assert [one["id"] for one in (*first["tickets"], *rest["tickets"])] == [one.id for one in given]
    assert (first["newer"], rest["older"]) == (None, None)
    assert anna.get(f"/tickets/{given[3].id}").json == first["tickets"][3]
    assert first["tickets"][3] == {
        **{key: value for key, value in given[3].as_json().items() if key != "means"},
    }


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("since=2026-11-23T12:00:00Z", 1),
        ("until=2026-11-23T13:00:00%2B01:00", 2),
        ("sender=EXAMPLE.NET", 3),
        ("sender=elsewhere", 0),
        ("kind=spam", 3),
        ("kind=newsletter", 0),
        ("since=0001-01-01T00:00:00Z&until=9999-12-31T23:59:59Z", 3),
    ],
)
def test_tickets_are_found_by_time_sender_and_kind(web: Web, anna: Program, query: str, count: int) -> None:
    keep(web.config, [make_ticket(ANNA, milliseconds=NOON - one) for one in range(3)])

    assert len(anna.get(f"/tickets?{query}").json["tickets"]) == count


@pytest.mark.parametrize(
    "query",
    [
        "since=yesterday",
        "since=0",
        "since=2026-11-23T12:00:00",
        "sender=a&sender=b",
        "kind=ham",
        "before=x",
        "limit=5",
    ],
)
def test_what_tickets_cannot_be_found_by_is_told(anna: Program, query: str) -> None:
    answer = anna.get(f"/tickets?{query}")

    assert (answer.status, answer.json["errors"][0]["pointer"]) == (422, "/" + query.partition("=")[0])


@on_every_store
def test_a_correction_puts_the_sender_on_a_list(web: Web, anna: Program) -> None:
    ticket = make_ticket(ANNA)
    keep(web.config, [ticket])
    sent = {"meaning": "not-spam", "reach": "address"}

    answer = anna.send("POST", f"/tickets/{ticket.id}/corrections", sent)

    assert answer.json["allowed"]["own"] == ["anna@example.net"]
    assert ("user", "senders.allowed") in {row[1:3] for row in records(web)}


@on_every_store
def test_changes_of_long_lists_are_told_a_few_at_a_time(web: Web, anna: Program) -> None:
    for letter in "abcd":
        web.clock[0] += 1
        senders = [f"{letter * 60}{number}@{'x' * 60}.{'y' * 60}.example.net" for number in range(2000)]
        assert anna.send("PATCH", "/account", {"senders.allowed": senders}).status == 200

    answers, before = [], ""
    while before is not None:
        answers.append(anna.get(f"/changes?before={before}"))
        before = answers[-1].json["older"]

    told = [one["new"] for answer in answers for one in answer.json["changes"]]
    assert [one[0][0] for one in told if isinstance(one, list)] == ["d", "c", "b", "a"]
    assert len(answers) > 1 and max(len(one.octets) for one in answers) < 3_000_000


@on_every_store
def test_sign_ins_are_listed_and_deleted(web: Web, anna: Program) -> None:
    visitors = [web.signed_in(ANNA) for _ in range(2)]
    found = anna.get("/sign-ins").json["sign_ins"]

    one = anna.send("DELETE", f"/sign-ins/{found[0]['id']}")
    again = anna.send("DELETE", f"/sign-ins/{found[0]['id']}")
    rest = anna.send("DELETE", "/sign-ins")

    assert [(one["kind"], one["address"]) for one in found] == [("options", "192.0.2.7")] * 2
    assert (one.json, again.status, rest.json) == ({"deleted": 1, "kept": 0}, 404, {"deleted": 1, "kept": 0})
    assert [visitor.get("/reception").status for visitor in visitors] == [303, 303]


def test_who_changed_what_is_told(web: Web, server: Program) -> None:
    server.send("PATCH", "/account", {"antispam": "off"})

    (change,) = server.get("/changes").json["changes"]

    assert (change["actor"], change["key"], change["old"], change["new"]) == (
        "webmail",
        "antispam",
        None,
        "off",
    )
    assert "by you, in the webmail" in web.signed_in(ANNA).get("/my-data/history").text


def test_all_that_is_kept_is_handed_out(web: Web, anna: Program) -> None:
    answer = anna.get("/export")

    assert (answer.status, answer.headers["content-type"]) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(answer.octets)) as archive:
        assert json.loads(archive.read("manifest.json"))["account"] == ANNA


def test_an_erasure_needs_the_address_and_ends_the_token(web: Web, anna: Program) -> None:
    refused = anna.send("POST", "/erasure", {"address": "bob@example.org"})
    done = anna.send("POST", "/erasure", {"address": ANNA})

    assert (refused.status, done.status) == (422, 202)
    assert done.json == {"address": ANNA, "status": "erased"}
    assert anna.get("/account").status == 401


def test_the_notice_is_in_the_language_that_is_asked_for(anna: Program) -> None:
    answer = anna.get("/notice?language=fr").json

    assert answer["language"] == "fr"
    assert answer["text"].startswith("# ")


def test_an_account_is_restricted_closed_and_opened_again(anna: Program) -> None:
    found = [
        anna.send("POST", f"/account/{act}").json["status"] for act in ("restrict", "lift", "close", "reopen")
    ]

    assert found == ["restricted", "active", "closed", "active"]


def test_while_an_account_is_restricted_no_filter_can_be_switched(anna: Program) -> None:
    anna.send("POST", "/account/restrict")

    assert anna.send("PATCH", "/account", {"antispam": "on"}).status == 409


def test_the_report_is_that_of_the_command(anna: Program, tamis: Tamis) -> None:
    anna.send("PATCH", "/account", {"antispam": "off"})
    (wanted,) = tamis("account", "report", ANNA, "--json").lines

    assert anna.get("/report").json == wanted


@pytest.mark.parametrize(
    "given",
    [
        "",
        "Bearer",
        "Bearer tamis_" + "x" * 43,
        "Bearer {bare}",
        "Basic {token}",
        "Bearer {token}x",
        "Bearer {token}, {token}",
        "bearer\t{token}",
        "Bearer \xff",
    ],
)
def test_who_has_no_token_that_counts_learns_nothing(web: Web, anna: Program, given: str) -> None:
    token = anna.sent["authorization"].partition(" ")[2]
    program = web.program(ANNA)
    program.sent["authorization"] = given.format(token=token, bare=token.removeprefix("tamis_"))

    answer = program.get("/account")

    assert (answer.status, answer.headers["content-type"]) == (401, "application/problem+json")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert ANNA not in answer.text


def test_a_cookie_is_no_token(web: Web) -> None:
    visitor = web.signed_in()

    assert visitor.get("/api/v1/account").status == 401


def refused(program: Program) -> set[str]:
    """Return the calls that a program may not make."""
    found = ((call.name, program.send(call.method, re.sub(r"{\w+}", "allowed", call.path))) for call in CALLS)
    return {name for name, answer in found if answer.status == 403}


def test_a_token_that_may_read_changes_nothing(web: Web) -> None:
    program = web.program(ANNA, scope=Scope.READ)

    assert refused(program) == {call.name for call in CALLS if call.scope is not Scope.READ}


def test_a_token_that_may_change_does_not_erase(web: Web) -> None:
    assert refused(web.program(ANNA, scope=Scope.CHANGE)) == {"erase"}


@on_every_store
def test_a_token_counts_until_its_end(web: Web, tamis: Tamis) -> None:
    assert tamis("account", "token", ANNA, "--new", "old", "--until", "2026-01-01").status == 2
    (made,) = tamis("account", "token", ANNA, "--new", "new", "--until", "2099-12-31", "--json").lines
    program = web.program(ANNA)
    program.sent["authorization"] = f"Bearer {made.pop('token')}"
    assert program.get("/account").status == 200

    web.clock[0] = 4_102_444_800_000  # 2100-01-01

    assert made["expires"] == "2100-01-01T00:00:00.000Z"
    assert program.get("/account").status == 401


@on_every_store
def test_a_webmails_server_acts_for_the_account_that_it_names(web: Web, server: Program) -> None:
    assert server.send("PATCH", "/account", {"antispam": "off"}).json["address"] == ANNA
    server.sent["tamis-account"] = " Bob@Example.org "
    assert server.get("/account").json["own"] == {}

    assert records(web) == [(ANNA, "webmail:roundcube", "antispam", '"off"')]


@pytest.mark.parametrize(
    "account",
    [
        "anna@elsewhere.example",
        "anna",
        "a@b@example.org",
        "@example.org",
        "\xff",
        "a b@example.org",
        "a\x00@example.org",
    ],
)
def test_a_webmails_server_names_accounts_of_ours_alone(server: Program, account: str) -> None:
    server.sent["tamis-account"] = account

    assert server.get("/account").status == 404


def test_a_webmails_server_names_an_account(server: Program) -> None:
    for named in ({}, {"tamis-account": ""}, {"tamis-account": "  "}):
        server.sent.pop("tamis-account", None)
        server.sent.update(named)

        assert server.get("/account").status == 400


@pytest.mark.parametrize("account", ["bob@example.org", "nobody@example.org", "anna@elsewhere.example", "x"])
def test_an_accounts_token_is_for_no_other(web: Web, anna: Program, account: str) -> None:
    web.program("bob@example.org")
    anna.sent["tamis-account"] = account

    answer = anna.get("/account")

    assert (answer.status, answer.json["detail"]) == (404, "There is no such account.")


def test_the_user_reads_that_it_was_the_webmail(web: Web, server: Program) -> None:
    server.send("PATCH", "/account", {"antispam": "off"})

    with contextlib.closing(Database(web.config.store)) as database, database.reading() as connection:
        (change,) = changes(connection, ANNA, until=NOON + 1)
    assert change["actor"] == "webmail"


def test_calls_are_limited_by_token(web: Web, anna: Program) -> None:
    assert {anna.get("/account").status for _ in range(OF_AN_ACCOUNT)} == {200}

    answer = anna.get("/account")

    assert (answer.status, answer.headers["retry-after"]) == (429, "60")
    assert web.program(ANNA).get("/account").status == 200
    web.clock[0] += MINUTE
    assert anna.get("/account").status == 200


def test_calls_without_a_token_are_limited_by_client(web: Web, anna: Program) -> None:
    stranger = web.program(ANNA)
    stranger.sent["authorization"] = "Bearer tamis_" + "A" * 43
    assert {stranger.get("/account").status for _ in range(OF_STRANGERS)} == {401}

    assert stranger.get("/account").status == 429
    assert anna.get("/account").status == 200


def test_tokens_are_kept_as_hashes_and_their_use_is_written(web: Web, anna: Program, tamis: Tamis) -> None:
    anna.get("/account")

    (one,) = tamis("account", "token", ANNA, "--json").lines
    assert one["used"] == "2026-11-23T12:00:00.000Z"
    folder = Path(web.config.store.url.removeprefix("sqlite:///")).parent
    octets = b"".join(path.read_bytes() for path in folder.glob("tamis.db*"))
    assert anna.sent["authorization"].rpartition("_")[2].encode() not in octets


def test_an_account_that_is_erased_has_no_token(web: Web, anna: Program, tamis: Tamis) -> None:
    anna.send("PATCH", "/account", {"antispam": "off"})

    tamis("account", "erase", ANNA, "--yes")

    assert anna.get("/account").status == 401


@on_every_store
def test_a_token_is_shown_once_and_revoked(web: Web, tamis: Tamis) -> None:
    (made,) = tamis("account", "token", ANNA, "--new", "My phone", "--scope", "change", "--json").lines
    program = web.program(ANNA)
    program.sent["authorization"] = f"Bearer {made.pop('token')}"
    assert program.get("/account").status == 200

    assert made in [one | {"used": None} for one in tamis("account", "token", ANNA, "--json").lines]
    assert tamis("account", "token", ANNA, "--revoke", made["id"]).status == 0
    assert tamis("account", "token", ANNA, "--revoke", made["id"]).status == 1
    assert program.get("/account").status == 401


def test_a_servers_token_is_made_by_the_operator(web: Web, tamis: Tamis) -> None:
    done = tamis("options", "token", "--new", "roundcube")
    program = web.program(None)
    program.sent.update({"authorization": f"Bearer {done.out.strip()}", "tamis-account": ANNA})

    assert program.get("/account").json["address"] == ANNA
    assert tamis("account", "token", ANNA, "--json").lines == []


@pytest.mark.parametrize("name", ["", " ", "x" * 61, "a\nb"])
def test_a_token_has_a_name_that_can_be_read(tamis: Tamis, name: str) -> None:
    done = tamis("account", "token", ANNA, "--new", name)

    assert done.status == 2
    assert "expected 1 to 60 printable characters" in done.err


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/account/", 404),
        ("DELETE", "/account", 405),
        ("PUT", "/openapi.json", 405),
    ],
)
def test_what_is_no_call_is_told_as_a_problem(anna: Program, method: str, path: str, status: int) -> None:
    answer = anna.send(method, path)

    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json["status"] == status


def test_each_call_is_described_and_documented(web: Web) -> None:
    found = json.loads(web.visitor().get("/api/v1/openapi.json").text)
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")

    assert found["openapi"] == "3.1.0"
    for call in CALLS:
        assert found["paths"][call.path][call.method.lower()]["operationId"] == call.name
        assert f"`{call.method} {call.path}`" in text
    assert sum(map(len, found["paths"].values())) == len(CALLS)
