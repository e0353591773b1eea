"""From an address to the accounts behind it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.accounts import DEPTH, Accounts, WithoutCatchAll
from tamis.config import Config, parse
from tamis.preferences import Resolution, Treatment, Value

CONFIG = """
[mail]
domains = ["example.org", "example.com"]
"""


class Table:
    """A source made of a dictionary, that counts how often it is asked."""

    def __init__(self, entries: Mapping[str, Sequence[str]]) -> None:
        self.entries = entries
        self.asked = 0

    def targets(self, names: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Return the entries of those names."""
        self.asked += 1
        return {name: tuple(self.entries[name]) for name in names if name in self.entries}


class Known:
    """Accounts made of a dictionary."""

    def __init__(self, entries: Mapping[str, Mapping[str, Value]]) -> None:
        self.entries = entries

    def own(self, addresses: Sequence[str]) -> Mapping[str, Mapping[str, Value]]:
        """Return the settings of those addresses that are accounts."""
        return {address: self.entries[address] for address in addresses if address in self.entries}


def make(
    aliases: Mapping[str, Sequence[str]] | None = None,
    *more: Mapping[str, Sequence[str]],
    accounts: Mapping[str, Mapping[str, Value]] | Sequence[str] = ("anna@example.org", "bob@example.org"),
    config: str = "",
) -> Accounts:
    entries = accounts if isinstance(accounts, Mapping) else {address: {} for address in accounts}
    sources = [Table(one) for one in (aliases or {}, *more)]
    return Accounts(load(config), sources, Known(entries))


def load(more: str) -> Config:
    return parse(CONFIG + more, "tamis.toml")


def resolve(accounts: Accounts, address: str) -> Resolution:
    (resolution,) = accounts.resolve([address])
    return resolution


def behind(accounts: Accounts, address: str) -> list[str | None]:
    """Return the accounts behind an address."""
    return [member.account for member in resolve(accounts, address).members]


def ends(accounts: Accounts, address: str) -> list[str]:
    """Return the final addresses behind an address."""
    return [member.address for member in resolve(accounts, address).members]


@pytest.mark.parametrize(
    "address", ["anna@example.org", "Anna@Example.ORG", "anna+x@example.org", "ANNA+X+y@example.org"]
)
def test_account_is_found_by_its_address(address: str) -> None:
    accounts = make()

    assert behind(accounts, address) == ["anna@example.org"]


def test_resolution_names_the_address_as_received() -> None:
    accounts = make()

    assert resolve(accounts, "Anna+X@Example.org").address == "Anna+X@Example.org"


def test_account_under_another_name_has_its_own_address() -> None:
    accounts = make({"info@example.org": ["anna@example.org"]})

    (member,) = resolve(accounts, "info+x@example.org").members

    assert (member.account, member.address, member.local) == ("anna@example.org", "anna@example.org", True)


def test_domain_alias_comes_before_an_account() -> None:
    accounts = make({"@example.com": ["@example.org"]}, accounts=["anna@example.org", "anna@example.com"])

    assert behind(accounts, "anna@example.com") == ["anna@example.org"]


def test_account_comes_before_an_alias_of_its_name() -> None:
    accounts = make({"anna@example.org": ["bob@example.org"]})

    assert behind(accounts, "anna@example.org") == ["anna@example.org"]


def test_alias_with_the_detail_comes_before_the_account_without_it() -> None:
    accounts = make({"anna+x@example.org": ["bob@example.org"]})

    assert behind(accounts, "anna+x@example.org") == ["bob@example.org"]


def test_name_without_detail_comes_before_the_catch_all() -> None:
    accounts = make({"@example.org": ["bob@example.org"], "info@example.org": ["anna@example.org"]})

    assert behind(accounts, "info+x@example.org") == ["anna@example.org"]


def test_catch_all_takes_what_nobody_else_does() -> None:
    accounts = make({"@example.org": ["bob@example.org"]})

    assert behind(accounts, "whoever@example.org") == ["bob@example.org"]


def test_target_of_a_catch_all_is_no_circle(caplog: pytest.LogCaptureFixture) -> None:
    accounts = make({"@example.org": ["post@example.org"]})

    assert ends(accounts, "whoever@example.org") == ["post@example.org"]
    assert not caplog.records


def test_unknown_address_has_no_account_and_its_domains_defaults() -> None:
    config = '[users.defaults]\nantispam = "off"\n[users.domains."example.com"]\ngraymail = "off"\n'
    accounts = make(config=config)

    (member,) = resolve(accounts, "Nobody+X@example.com").members

    assert (member.account, member.local, member.address) == (None, True, "nobody+x@example.com")
    assert (member.preferences.antispam, member.preferences.graymail) == (False, False)


def test_address_outside_has_the_sites_defaults_and_is_not_local() -> None:
    accounts = make({"x@example.net": ["anna@example.org"]}, config='[users.defaults]\nantispam = "off"\n')

    (member,) = resolve(accounts, "x@example.net").members

    assert (member.account, member.local, member.address) == (None, False, "x@example.net")
    assert not member.preferences.antispam


def test_alias_may_lead_outside() -> None:
    accounts = make({"info@example.org": ["x@example.net"]})

    (member,) = resolve(accounts, "info@example.org").members

    assert (member.account, member.local, member.address) == (None, False, "x@example.net")


def test_group_counts_as_its_members() -> None:
    accounts = make({"team@example.org": ["anna@example.org", "bob@example.org", "x@example.net"]})

    assert behind(accounts, "team@example.org") == ["anna@example.org", "bob@example.org", None]


def test_member_of_several_groups_is_there_once() -> None:
    accounts = make(
        {
            "all@example.org": ["team@example.org", "board@example.org", "anna+x@example.org"],
            "team@example.org": ["anna@example.org", "bob@example.org"],
            "board@example.org": ["anna@example.org"],
        }
    )

    assert behind(accounts, "all@example.org") == ["anna@example.org", "bob@example.org"]


def test_first_source_that_knows_a_name_counts() -> None:
    accounts = make({"info@example.org": ["bob@example.org"]}, {"info@example.org": ["anna@example.org"]})

    assert behind(accounts, "info@example.org") == ["bob@example.org"]


def test_second_source_is_asked_for_what_the_first_does_not_know() -> None:
    accounts = make({"other@example.org": ["bob@example.org"]}, {"info@example.org": ["anna@example.org"]})

    assert behind(accounts, "info@example.org") == ["anna@example.org"]


def test_target_without_domain_is_in_the_names_domain() -> None:
    accounts = make({"info@example.com": ["anna"]}, accounts=["anna@example.org", "anna@example.com"])

    assert behind(accounts, "info@example.com") == ["anna@example.com"]


def test_circle_is_the_address_itself(caplog: pytest.LogCaptureFixture) -> None:
    accounts = make({"a@example.org": ["b@example.org"], "b@example.org": ["a@example.org"]})

    (member,) = resolve(accounts, "a@example.org").members

    assert (member.account, member.address) == (None, "a@example.org")
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "example.org" not in caplog.text


def test_name_that_leads_to_itself_is_a_mailbox(caplog: pytest.LogCaptureFixture) -> None:
    accounts = make({"carol@example.org": ["carol@example.org", "bob@example.org"]})

    assert behind(accounts, "carol+x@example.org") == ["carol@example.org", "bob@example.org"]
    assert not caplog.records


def test_who_is_behind_a_mailbox_of_its_own_name_is_reached_by_no_less() -> None:
    desk, bob, dave = "desk@example.org", "bob@example.org", "dave@example.net"
    groups = {desk: [desk, bob, dave], "team@example.org": [dave, desk, "anna@example.org"]}
    accounts = make(groups, accounts=[bob, "anna@example.org"])

    team = resolve(accounts, "team@example.org").members

    assert {one.address: one.reached for one in team} == {
        dave: desk,
        desk: desk,
        bob: desk,
        "anna@example.org": "",
    }
    assert {one.reached for one in resolve(accounts, "desk+x@example.org").members} == {desk}


def test_name_that_leads_to_itself_alone_is_reached_by_itself() -> None:
    (member,) = resolve(make({"bob@example.org": ["bob@example.org"]}), "bob@example.org").members

    assert (member.account, member.reached) == ("bob@example.org", "")


def test_name_that_is_not_followed_is_the_address_itself() -> None:
    accounts = make({"info@example.org": [], "@example.org": ["bob@example.org"]})

    (member,) = resolve(accounts, "info@example.org").members

    assert (member.account, member.address) == (None, "info@example.org")


def chain(length: int) -> Mapping[str, Sequence[str]]:
    """Return aliases of aliases: a0 leads to anna by that many steps."""
    names = [f"a{number}@example.org" for number in range(length)] + ["anna@example.org"]
    return {name: [target] for name, target in pairwise(names)}


def test_aliases_are_followed_ten_deep() -> None:
    assert behind(make(chain(DEPTH)), "a0@example.org") == ["anna@example.org"]


def test_aliases_are_followed_no_deeper(caplog: pytest.LogCaptureFixture) -> None:
    assert behind(make(chain(DEPTH + 1)), "a0@example.org") == [None]
    assert "deeper than 10" in caplog.text


def test_own_settings_come_before_the_domains_and_those_before_the_sites() -> None:
    config = """
[users.defaults]
"antispam.action" = "file"
"graymail.list" = "file"
"graymail.social" = "file"
[users.domains."example.org"]
"graymail.list" = "none"
"graymail.social" = "none"
"""
    accounts = make(accounts={"anna@example.org": {"graymail.social": "mark"}}, config=config)

    (member,) = resolve(accounts, "anna@example.org").members

    wishes = member.preferences
    assert (wishes.spam, wishes.list, wishes.social) == (Treatment.FILE, Treatment.NONE, Treatment.MARK)


def test_locked_setting_is_not_in_force() -> None:
    config = '[users]\nmay_change = ["graymail"]\n'
    accounts = make(accounts={"anna@example.org": {"antispam": "off", "graymail": "off"}}, config=config)

    (member,) = resolve(accounts, "anna@example.org").members

    assert (member.preferences.antispam, member.preferences.graymail) == (True, False)


def test_own_senders_come_before_the_sites() -> None:
    config = '[users.defaults]\n"senders.blocked" = ["@example.net"]\n'
    own: Mapping[str, Value] = {"senders.allowed": ("x@example.net",)}
    accounts = make(accounts={"anna@example.org": own}, config=config)

    (member,) = resolve(accounts, "anna@example.org").members

    first, second = member.preferences.senders
    assert (first.allowed, second.blocked) == (("x@example.net",), ("@example.net",))


def test_without_a_delimiter_nothing_is_a_detail() -> None:
    aliases = {"info@example.org": ["anna@example.org"]}
    accounts = Accounts(
        parse(CONFIG + 'recipient_delimiter = ""\n', "tamis.toml"), [Table(aliases)], Known({})
    )

    assert ends(accounts, "info+x@example.org") == ["info+x@example.org"]


@pytest.mark.parametrize(
    "address", ["", "postmaster", "@example.org", "+x@example.org", "a@b@example.org", "\ufffd@"]
)
def test_odd_address_is_itself(address: str) -> None:
    accounts = make()

    assert ends(accounts, address) == [address]


def test_name_on_the_command_line_is_not_taken_by_the_catch_all() -> None:
    aliases = {
        "@example.org": ["bob@example.org"],
        "@example.com": ["@example.org"],
        "info@example.org": ["anna@example.org"],
    }
    accounts = Accounts(
        load(""),
        [WithoutCatchAll(Table(aliases))],
        Known({"anna@example.org": {}, "bob@example.org": {}}),
    )

    assert behind(accounts, "new@example.com") == [None]
    assert behind(accounts, "info@example.com") == ["anna@example.org"]


def test_many_recipients_are_asked_for_together() -> None:
    source = Table({f"list{number}@example.org": ["anna@example.org"] for number in range(100)})
    accounts = Accounts(load(""), [source], Known({"anna@example.org": {}}))

    accounts.resolve([f"list{number}@example.org" for number in range(100)])

    assert source.asked == 2  # for the lists, and for what they lead to


NAMES = st.sampled_from([f"{name}@{domain}" for name in "abcd" for domain in ("example.org", "example.com")])
ADDRESSES = NAMES | st.sampled_from(["a+x@example.org", "x@example.net", "@example.org", "@example.com"])
TABLES = st.dictionaries(ADDRESSES, st.lists(ADDRESSES | st.just("a"), max_size=3), max_size=8)


@given(aliases=TABLES, known=st.sets(NAMES, max_size=3), asked=st.lists(ADDRESSES, min_size=1, max_size=5))
@settings(max_examples=300, deadline=None)
def test_resolving_together_is_as_resolving_alone(
    aliases: Mapping[str, Sequence[str]], known: set[str], asked: Sequence[str]
) -> None:
    accounts = make(aliases, accounts=sorted(known))

    together = accounts.resolve(asked)

    assert together == [resolve(accounts, address) for address in asked]
    assert all(one.members for one in together)
    assert all(len({member.address for member in one.members}) == len(one.members) for one in together)
