"""Files in the form of aliases(5) and virtual(5)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tamis.interfaces import StoreUnavailable
from tamis.store.aliasfile import AliasFile, parse


@pytest.mark.parametrize(
    ("text", "name", "targets"),
    [
        ("info: anna", "info", ["anna"]),
        ("Info:Anna@Example.org", "info", ["anna@example.org"]),
        ("team: anna, bob,carol@example.net", "team", ["anna", "bob", "carol@example.net"]),
        ("team: anna,\n\tbob,\n  carol\nnext: dora", "team", ["anna", "bob", "carol"]),
        ("team: anna,\n# Bob left.\n\n  carol", "team", ["anna", "carol"]),
        ('"john smith": anna', "john smith", ["anna"]),
        ('info: "anna", bob', "info", ["anna", "bob"]),
        ("anna: \\anna, anna@example.net", "anna", ["anna", "anna@example.net"]),
        ("team: anna, anna", "team", ["anna"]),
        ("info: anna\ninfo: bob", "info", ["anna"]),
        ("info@example.org anna@example.org", "info@example.org", ["anna@example.org"]),
        (
            "team@example.org\tanna@example.org bob@example.org",
            "team@example.org",
            ["anna@example.org", "bob@example.org"],
        ),
        ("team@example.org anna,bob", "team@example.org", ["anna", "bob"]),
        ("@example.org anna@example.org", "@example.org", ["anna@example.org"]),
        ("@example.com @example.org", "@example.com", ["@example.org"]),
    ],
)
def test_form_is_understood(text: str, name: str, targets: Sequence[str]) -> None:
    found = parse(text)

    assert found[name] == tuple(targets)


@pytest.mark.parametrize(
    "target",
    [
        '"|/usr/bin/vacation anna"',
        "|/bin/prog",
        "/var/mail/archive",
        ":include:/etc/list",
        '":include:/a b"',
        "",
    ],
)
def test_name_that_leads_elsewhere_than_to_addresses_is_not_followed(target: str) -> None:
    found = parse(f"info: anna, {target}" if target else "info:")

    assert found["info"] == ()


@pytest.mark.parametrize(
    "text", ["", "#", "\n\n", "  stray", "word", "a b\0c: d", '"open: anna', "\udcff: \udcfe"]
)
def test_any_text_can_be_read(text: str) -> None:
    assert isinstance(parse(text), dict)


def test_name_without_domain_belongs_to_every_domain(tmp_path: Path) -> None:
    path = tmp_path / "aliases"
    path.write_text("info: anna\n")
    source = AliasFile(path, ["example.org", "example.com"])

    found = source.targets(["info@example.org", "info@example.com", "info@example.net", "@example.org"])

    assert found == {"info@example.org": ("anna",), "info@example.com": ("anna",)}


def test_name_with_domain_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "aliases"
    path.write_text("info: anna\ninfo@example.com: bob\n")
    source = AliasFile(path, ["example.org", "example.com"])

    found = source.targets(["info@example.org", "info@example.com"])

    assert found == {"info@example.org": ("anna",), "info@example.com": ("bob",)}


def test_unchanged_file_is_not_read_again(tmp_path: Path) -> None:
    path = tmp_path / "aliases"
    path.write_text("info: anna\n")
    source = AliasFile(path, ["example.org"])

    assert [source.changed(), source.changed()] == [True, False]


def test_replaced_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "aliases"
    path.write_text("info: anna\n")
    source = AliasFile(path, ["example.org"])
    source.changed()
    new = tmp_path / "new"
    new.write_text("info: bobb\n")
    new.replace(path)

    assert source.changed()
    assert source.targets(["info@example.org"]) == {"info@example.org": ("bobb",)}


def test_file_that_goes_away_keeps_its_last_contents(tmp_path: Path) -> None:
    path = tmp_path / "aliases"
    path.write_text("info: anna\n")
    source = AliasFile(path, ["example.org"])
    source.changed()
    path.unlink()

    assert not source.changed()
    assert source.targets(["info@example.org"]) == {"info@example.org": ("anna",)}


def test_file_that_never_was_makes_the_store_unavailable(tmp_path: Path) -> None:
    source = AliasFile(tmp_path / "aliases", ["example.org"])

    with pytest.raises(StoreUnavailable, match="cannot be read"):
        source.targets(["info@example.org"])


def test_file_that_comes_late_is_read(tmp_path: Path) -> None:
    path = tmp_path / "aliases"
    source = AliasFile(path, ["example.org"])
    source.changed()
    path.write_text("info: anna\n")

    assert source.changed()
    assert source.targets(["info@example.org"]) == {"info@example.org": ("anna",)}
