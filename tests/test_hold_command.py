"""`tamis hold`."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from tests.commands import Done, Tamis
from tests.stores import keep, make_config, make_ticket, stored

from tamis.store import owners
from tamis.store.database import Database

ORDER = ("--reference", "2026/117", "--authority", "Tribunal de Paris")
FAR = "2999-12-31"


def hold(tamis: Tamis, *more: str, address: str = "bob@example.org") -> Done:
    return tamis("hold", "add", address, "--until", FAR, *ORDER, *more)


def test_hold_stands_in_the_list_with_its_order(tamis: Tamis) -> None:
    added = hold(tamis, "--basis", "CPP 60-2", "--json")

    assert added.status == 0
    assert tamis("hold", "list", "--json").lines == added.lines
    (one,) = added.lines
    assert one.pop("id")
    assert one == {
        "account": "bob@example.org",
        "state": "active",
        "until": "3000-01-01T00:00:00.000Z",
        "released": None,
        "reference": "2026/117",
        "authority": "Tribunal de Paris",
        "basis": "CPP 60-2",
    }


def test_hold_is_an_act_on_record_under_the_same_id(
    tamis: Tamis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "olga")

    hold(tamis)

    config = make_config(tmp_path)
    rows = stored(
        config,
        "SELECT kind, account, body FROM legal_act JOIN hold USING (id)",
    )
    ((kind, account, body),) = rows
    assert (kind, account) == ("hold", "bob@example.org")
    assert '"operator": "olga"' in str(body)


def test_hold_is_on_the_account_that_an_alias_stands_for(tamis: Tamis) -> None:
    tamis("account", "set", "bob@example.org", "antispam=on")
    tamis("alias", "add", "robert@example.org", "bob@example.org")

    done = hold(tamis, "--json", address="Robert+x@example.org")

    assert done.lines[0]["account"] == "bob@example.org"
    assert "stands for bob@example.org" in done.err


def test_an_account_whose_domain_has_left_is_held_as_long_as_there_are_records(
    tamis: Tamis, tmp_path: Path
) -> None:
    keep(make_config(tmp_path), [make_ticket("bob@example.net")])

    done = hold(tamis, "--json", address="bob@example.net")

    assert (done.status, done.lines[0]["account"]) == (0, "bob@example.net")
    assert hold(tamis, address="anna@example.net").status == 2


def test_a_hold_on_an_address_without_records_says_so(tamis: Tamis) -> None:
    done = hold(tamis)

    assert (done.status, done.err) == (0, "tamis: nothing is recorded about bob@example.org so far\n")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--until", "2020-01-01", *ORDER), "expected a time to come, got 2020-01-02T00:00:00.000Z"),
        (("--until", "soon", *ORDER), "expected YYYY-MM-DD or RFC 3339"),
        (ORDER, "required: --until"),
        (("--until", FAR, "--authority", "A"), "required: --reference"),
        (("--until", FAR, "--authority", " ", "--reference", "R"), "expected 1 to 300 printable characters"),
        (("--until", FAR, "--authority", "A\x1b[2J", "--reference", "R"), "printable characters"),
    ],
)
def test_a_hold_without_its_order_or_end_is_wrong_use(
    tamis: Tamis, arguments: tuple[str, ...], expected: str
) -> None:
    done = tamis("hold", "add", "bob@example.org", *arguments)

    assert done.status == 2
    assert expected in done.err
    assert tamis("hold", "list").out == ""


def test_a_released_hold_stays_in_the_list_and_its_release_is_on_record(tamis: Tamis, tmp_path: Path) -> None:
    hold_id = str(hold(tamis, "--json").lines[0]["id"])

    done = tamis("hold", "release", hold_id.lower())

    assert (done.status, done.out) == (0, "")
    (one,) = tamis("hold", "list", "--json").lines
    assert (one["state"], one["released"] is not None) == ("released", True)
    kinds = stored(make_config(tmp_path), "SELECT kind FROM legal_act ORDER BY id")
    assert kinds == [("hold",), ("release",)]


def test_records_are_held_until_the_hold_is_released(tamis: Tamis, tmp_path: Path) -> None:
    hold_id = str(hold(tamis, "--json").lines[0]["id"])
    config = make_config(tmp_path)

    with contextlib.closing(Database(config.store)) as database:
        with database.reading() as connection:
            before = owners.held(connection, ["bob@example.org", "anna@example.org"])
        tamis("hold", "release", hold_id)
        with database.reading() as connection:
            after = owners.held(connection, ["bob@example.org"])

    assert (before, after) == ({"bob@example.org": 32_503_680_000_000}, {})


def test_what_cannot_be_released_is_exit_status_1(tamis: Tamis) -> None:
    hold_id = str(hold(tamis, "--json").lines[0]["id"])
    tamis("hold", "release", hold_id)

    again, unknown = tamis("hold", "release", hold_id), tamis("hold", "release", "01K")

    assert (again.status, unknown.status) == (1, 1)
    assert "was released at 2" in again.err
    assert unknown.err == "tamis: there is no hold 01K\n"


def test_a_line_tells_hold_account_end_and_order(tamis: Tamis) -> None:
    hold(tamis)

    words = tamis("hold", "list").out.strip().split("  ")
    assert [one.strip() for one in words[1:] if one] == [
        "active",
        "bob@example.org",
        "until 3000-01-01T00:00:00.000Z",
        "Tribunal de Paris, 2026/117",
    ]
