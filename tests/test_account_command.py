"""`tamis account` and `tamis alias`."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.commands import Tamis
from tests.stores import write_config

from tamis.preferences import KEYS


def own(tamis: Tamis, address: str = "anna@example.org") -> dict[str, object]:
    (shown,) = tamis("account", "show", address, "--json").lines
    found = shown["own"]
    assert isinstance(found, dict)
    return found


def test_set_makes_an_account_where_there_is_none(tamis: Tamis) -> None:
    done = tamis("account", "set", "Anna@Example.org", "antispam=off")

    assert (done.status, done.out, done.err) == (0, "", "")
    assert tamis("account", "list", "--json").lines == [{"address": "anna@example.org", "status": "active"}]


def test_show_has_every_key_as_applied_what_is_own_and_what_is_locked(tamis: Tamis) -> None:
    tamis(
        "account", "set", "anna@example.org", "antispam=off", "graymail.newsletter=file", "antispam.mark=7.25"
    )

    (shown,) = tamis("account", "show", "anna@example.org", "--json").lines

    assert list(shown) == ["address", "status", "settings", "own", "locked"]
    assert list(shown["settings"]) == list(KEYS)
    assert shown["settings"]["antispam"] == "off" and shown["settings"]["graymail"] == "on"
    assert shown["own"] == {"antispam": "off", "graymail.newsletter": "file", "antispam.mark": 7.2}
    assert (shown["address"], shown["status"], shown["locked"]) == ("anna@example.org", "active", [])


@pytest.mark.parametrize(
    ("assignments", "expected"),
    [
        (["senders.allowed=a@example.net,@B.example.net"], ["a@example.net", "@b.example.net"]),
        (["senders.allowed+=a@example.net"], ["old@example.net", "a@example.net"]),
        (
            ["senders.allowed+=a@example.net", "senders.allowed+=@*.example.net"],
            ["old@example.net", "a@example.net", "@*.example.net"],
        ),
        (["senders.allowed+=OLD@example.net"], ["old@example.net"]),
        (["senders.allowed-=old@example.net"], []),
        (["senders.allowed-=other@example.net"], ["old@example.net"]),
        (["senders.allowed="], []),
    ],
)
def test_lists_are_set_added_to_and_taken_from(
    tamis: Tamis, assignments: list[str], expected: list[str]
) -> None:
    tamis("account", "set", "anna@example.org", "senders.allowed=old@example.net")

    done = tamis("account", "set", "anna@example.org", *assignments)

    assert done.status == 0
    assert own(tamis) == {"senders.allowed": expected}


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("antispm=off", 'unknown setting "antispm"; did you mean antispam?'),
        ("antispam=maybe", 'antispam: expected on or off, got "maybe"'),
        ("graymail.list=delete", "graymail.list: expected mark, file or none"),
        ("antispam.mark=high", "antispam.mark: expected bits"),
        ("antispam.mark=nan", "antispam.mark: expected bits"),
        ("senders.blocked=nobody", "senders.blocked: expected user@domain"),
        ("antispam+=off", "only lists take +="),
        ("antispam", "expected KEY=VALUE"),
        ("=off", "expected KEY=VALUE"),
    ],
)
def test_one_wrong_setting_and_nothing_is_changed(tamis: Tamis, assignment: str, said: str) -> None:
    tamis("account", "set", "anna@example.org", "graymail=off")

    done = tamis("account", "set", "anna@example.org", "antivirus=off", assignment, "learning=on")

    assert done.status == 2
    assert done.err.startswith("tamis: ") and said in done.err
    assert own(tamis) == {"graymail": "off"}


@pytest.mark.parametrize(
    "address", ["anna@example.net", "anna", "@example.org", "a b@example.org", "anna@", ""]
)
def test_address_that_is_not_ours_is_wrong_use(tamis: Tamis, address: str) -> None:
    done = tamis("account", "set", address, "antispam=off")

    assert done.status == 2
    assert tamis("account", "list").out == ""


def test_wrong_setting_makes_no_account(tamis: Tamis) -> None:
    tamis("account", "set", "anna@example.org", "antispam=maybe")

    assert tamis("account", "list").out == ""


def test_show_of_an_address_without_account_is_a_no_with_the_defaults(tamis: Tamis) -> None:
    done = tamis("account", "show", "new@example.org", "--json")

    (shown,) = done.lines
    assert (done.status, shown["status"], shown["own"]) == (1, "none", {})
    assert shown["settings"]["antispam"] == "on"
    assert "has no account" in done.err


def test_detail_and_alias_stand_for_the_account(tamis: Tamis) -> None:
    tamis("alias", "add", "info@example.org", "anna@example.org")
    tamis("alias", "add", "@example.com", "@example.org")

    done = tamis("account", "set", "info+x@example.com", "antispam=off")

    assert "info+x@example.com stands for anna@example.org" in done.err
    assert own(tamis) == {"antispam": "off"}


def test_catch_all_does_not_take_a_new_account(tamis: Tamis) -> None:
    tamis("account", "set", "post@example.org", "antispam=on")
    tamis("alias", "add", "@example.org", "post@example.org")

    tamis("account", "set", "anna@example.org", "antispam=off")

    assert (own(tamis), own(tamis, "post@example.org")) == ({"antispam": "off"}, {"antispam": "on"})


def test_group_has_no_settings(tamis: Tamis) -> None:
    tamis("alias", "add", "team@example.org", "anna@example.org", "bob@example.org")

    done = tamis("account", "set", "team@example.org", "antispam=off")

    assert (done.status, tamis("account", "list").out) == (2, "")
    assert "group of 2" in done.err


def test_locked_setting_is_kept_but_not_in_force(tamis: Tamis, tmp_path: Path) -> None:
    path = write_config(tmp_path, more='[users]\nmay_change = ["graymail"]')

    done = tamis("account", "set", "anna@example.org", "antispam=off", "--config", str(path))

    (shown,) = tamis("account", "show", "anna@example.org", "--json", "--config", str(path)).lines
    assert done.status == 0 and "antispam is locked" in done.err
    assert (shown["own"], shown["settings"]["antispam"]) == ({"antispam": "off"}, "on")
    assert "antispam" in shown["locked"] and "graymail" not in shown["locked"]


def test_domains_defaults_apply_to_an_account(tamis: Tamis, tmp_path: Path) -> None:
    path = write_config(tmp_path, more='[users.domains."example.com"]\nantispam = "off"')

    (shown,) = tamis("account", "show", "anna@example.com", "--json", "--config", str(path)).lines

    assert shown["settings"]["antispam"] == "off"


@pytest.mark.parametrize("place", [1, 2, 3])
def test_config_may_stand_before_the_verb_or_after_it(tamis: Tamis, tmp_path: Path, place: int) -> None:
    words = ["account", "show", "anna@example.org"]
    words[place:place] = ["--json", "--config", str(write_config(tmp_path))]

    done = tamis(*words)

    assert done.lines[0]["address"] == "anna@example.org"


def test_table_shows_what_is_own(tamis: Tamis) -> None:
    tamis("account", "set", "anna@example.org", "antispam=off")

    lines = tamis("account", "show", "anna@example.org").out.splitlines()

    assert lines[0] == "anna@example.org  active"
    assert "  antispam              off  (own)" in lines


def test_accounts_are_listed_in_order_however_many(tamis: Tamis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tamis.store.settings.PAGE", 2)
    for name in ("dora", "anna", "carl", "bob", "emil"):
        tamis("account", "set", f"{name}@example.org", "antispam=on")

    listed = [one["address"].partition("@")[0] for one in tamis("account", "list", "--json").lines]

    assert listed == ["anna", "bob", "carl", "dora", "emil"]


def test_aliases_are_added_listed_and_removed(tamis: Tamis) -> None:
    tamis("alias", "add", "Team@Example.org", "Anna@example.org")
    tamis("alias", "add", "team@example.org", "x@example.net", "anna@example.org")
    tamis("alias", "add", "@example.org", "anna@example.org")
    before = tamis("alias", "list", "--json").lines

    removed = tamis("alias", "remove", "@example.org")

    team = {"name": "team@example.org", "targets": ["anna@example.org", "x@example.net"]}
    assert before == [{"name": "@example.org", "targets": ["anna@example.org"]}, team]
    assert removed.status == 0
    assert tamis("alias", "list").out == "team@example.org  anna@example.org, x@example.net\n"


def test_one_target_is_removed_from_a_group(tamis: Tamis) -> None:
    tamis("alias", "add", "team@example.org", "anna@example.org", "bob@example.org")

    tamis("alias", "remove", "team@example.org", "anna@example.org")

    assert tamis("alias", "list", "--json").lines == [
        {"name": "team@example.org", "targets": ["bob@example.org"]}
    ]


@pytest.mark.parametrize("words", [["info@example.org"], ["team@example.org", "bob@example.org"]])
def test_removing_what_is_not_there_is_a_no(tamis: Tamis, words: list[str]) -> None:
    tamis("alias", "add", "team@example.org", "anna@example.org")

    assert tamis("alias", "remove", *words).status == 1
    assert len(tamis("alias", "list").out.splitlines()) == 1


@pytest.mark.parametrize(
    "words",
    [
        ["info@example.net", "anna@example.org"],
        ["@example.net", "anna@example.org"],
        ["info", "anna@example.org"],
        ["info@example.org", "anna"],
        ["@example.org", "@example.org"],
        ["info@example.org", "@example.com"],
        ["@example.com", "@example.org", "anna@example.org"],
    ],
)
def test_wrong_alias_is_refused(tamis: Tamis, words: list[str]) -> None:
    tamis("alias", "add", "c@example.org", "b@example.org")
    tamis("alias", "add", "b@example.org", "a@example.org")

    done = tamis("alias", "add", *words)

    assert (done.status, done.out) == (2, "") and done.err
    assert len(tamis("alias", "list").out.splitlines()) == 2


def test_alias_that_leads_back_to_itself_is_told(tamis: Tamis) -> None:
    tamis("alias", "add", "a@example.org", "b@example.org")
    tamis("alias", "add", "b@example.org", "c@example.org")

    done = tamis("alias", "add", "c@example.org", "a@example.org")

    assert done.status == 0 and "leads back to itself" in done.err
    assert len(tamis("alias", "list").out.splitlines()) == 3


def test_group_may_hold_the_mailbox_of_its_own_name(tamis: Tamis) -> None:
    done = tamis("alias", "add", "team@example.org", "team@example.org", "bob@example.org")

    assert (done.status, done.err) == (0, "")


def test_alias_that_an_account_hides_is_told(tamis: Tamis) -> None:
    tamis("account", "set", "anna@example.org", "antispam=off")

    done = tamis("alias", "add", "anna@example.org", "bob@example.org")

    assert done.status == 0 and "comes before an alias" in done.err


def test_alias_that_no_source_reads_is_told(tamis: Tamis, tmp_path: Path) -> None:
    path = write_config(tmp_path, more='[accounts]\nsources = ["file:/etc/aliases"]')

    done = tamis("alias", "add", "info@example.org", "anna@example.org", "--config", str(path))

    assert done.status == 0 and "no effect" in done.err


def test_unusable_store_is_told(tamis: Tamis, tmp_path: Path) -> None:
    (tmp_path / "tamis.db").write_text("no database, " * 100)

    done = tamis("account", "list")

    assert done.status == 2 and "the store cannot be used" in done.err
