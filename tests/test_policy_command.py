"""`tamis policy`, `tamis policy diff`, and what a start and a reload remember of the policy."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from tests.commands import Tamis
from tests.servers.milter import StartMilter
from tests.stores import NOON, gives_up_soon, make_config, write_config
from tests.test_service_life import change

from tamis.config import Config
from tamis.promises import memory
from tamis.promises.memory import InForce
from tamis.promises.terms import Terms
from tamis.service import promises
from tamis.store import acts
from tamis.store.acts import Act
from tamis.store.database import Database

LENIENT = "[antivirus]\non_error = 'pass'\n"
CAREFUL = "[graymail]\non_error = 'tempfail'\n"


def recorded(config: Config) -> Sequence[Act]:
    with closing(Database(config.store)) as database, database.reading() as connection:
        return list(acts.find(connection, since=0, until=2 * NOON))


def in_force(config: Config) -> InForce | None:
    with closing(Database(config.store)) as database, database.reading() as connection:
        return memory.in_force(connection)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]


# The command.


def test_the_notice_is_printed_in_english(tamis: Tamis) -> None:
    done = tamis("policy")

    assert done.status == 0
    assert done.out.startswith("# How your mail is filtered, and what is kept of it\n")
    assert "example.com and example.org" in done.out


def test_the_notice_is_printed_in_french(tamis: Tamis) -> None:
    assert tamis("policy", "--language", "fr").out.startswith("# Comment votre courrier est filtré")


def test_another_language_is_wrong_use(tamis: Tamis) -> None:
    assert tamis("policy", "--language", "tlh").status == 2


def test_it_makes_no_store(tamis: Tamis, tmp_path: Path) -> None:
    assert tamis("policy").status == 0
    assert not (tmp_path / "tamis.db").exists()


def test_it_is_printed_where_the_store_cannot_be_read(tamis: Tamis, tmp_path: Path) -> None:
    (tmp_path / "tamis.db").write_bytes(b"not a database" * 1000)

    assert tamis("policy").out.count("As of ") == 1


def test_it_is_printed_where_the_store_has_no_driver(tamis: Tamis, tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text(
        "[mail]\ndomains = ['example.org']\n[store]\nurl = 'postgresql+psycopg://127.0.0.1:1/tamis'\n"
    )

    assert tamis("policy", "--config", str(file)).out.count("As of ") == 1


def test_it_is_in_force_once_a_process_served_by_it(tamis: Tamis, tmp_path: Path) -> None:
    config = make_config(tmp_path)
    promises.take_over(config, now=NOON)

    assert "In force since 23 November 2026. Fingerprint: `" in tamis("policy").out
    (found,) = tamis("policy", "--json").lines
    assert found["since"] == "2026-11-23T12:00:00.000Z"


def test_in_json_the_terms_come_with_the_notice(tamis: Tamis) -> None:
    (found,) = tamis("policy", "--language", "fr", "--json").lines

    assert found["fingerprint"] == Terms.model_validate(found["terms"]).fingerprint
    assert (found["language"], found["since"]) == ("fr", None)
    assert found["text"] == tamis("policy", "--language", "fr").out


# What a change weakens.


def test_what_is_the_same_weakens_nothing(tamis: Tamis, tmp_path: Path) -> None:
    done = tamis("policy", "diff", str(tmp_path / "tamis.toml"))

    assert (done.status, done.out) == (0, "Nothing that is promised to users changes.\n")


def test_what_weakens_is_exit_status_1(tamis: Tamis, tmp_path: Path) -> None:
    old = tmp_path / "old.toml"
    old.write_text((tmp_path / "tamis.toml").read_text())
    write_config(tmp_path, more=LENIENT)

    done = tamis("policy", "diff", str(old))

    assert (done.status, done.out) == (1, "weakens      antivirus.on_error: tempfail becomes pass\n")


def test_what_only_strengthens_is_exit_status_0(tamis: Tamis, tmp_path: Path) -> None:
    old = tmp_path / "old.toml"
    old.write_text(write_config(tmp_path, more=LENIENT).read_text())
    write_config(tmp_path)

    done = tamis("policy", "diff", str(old), "--json")

    assert done.status == 0
    assert [one["effect"] for one in done.lines] == ["strengthens"]


def test_a_policy_that_was_kept_can_be_compared(tamis: Tamis, tmp_path: Path) -> None:
    old = tmp_path / "old.json"
    old.write_text(tamis("policy", "--json").out)
    write_config(tmp_path, more=LENIENT)

    assert tamis("policy", "diff", str(old)).status == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ('{"flavour": 1}', "old: expected what tamis policy --json printed\n"),
        ("[mail]\ndomain = 1\n", "old line 2: mail.domain: unknown key; did you mean mail.domains?\n"),
        (None, "old: cannot be read: "),
    ],
)
def test_what_cannot_be_compared_is_exit_status_2(
    tamis: Tamis, tmp_path: Path, given: str | None, said: str
) -> None:
    old = tmp_path / "old"
    if given is not None:
        old.write_text(given)

    done = tamis("policy", "diff", str(old))

    assert done.status == 2
    assert said in done.err


# What a start and a reload remember.


def test_the_first_terms_are_recorded_and_weaken_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = make_config(tmp_path)

    promises.take_over(config, now=NOON)

    assert in_force(config) == InForce(NOON, Terms.of(config))
    assert warnings(caplog) == []


def test_the_same_terms_are_recorded_once(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    promises.take_over(config, now=NOON)

    promises.take_over(config, now=NOON + 1000)

    assert len(recorded(config)) == 1


def test_a_start_tells_what_it_weakens_of_what_was_in_force(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    promises.take_over(make_config(tmp_path), now=NOON)
    config = make_config(tmp_path, more=f"{LENIENT}[tickets]\nfields = ['subject']\n{CAREFUL}")

    promises.take_over(config, now=NOON + 1000)

    told = ["antivirus.on_error: tempfail becomes pass", "tickets.fields: now keeps in tickets: subject"]
    assert warnings(caplog) == [f"policy weakened: {one}" for one in told]
    act = recorded(config)[-1]
    assert act.kind == "policy"
    assert act.body["weakens"] == told
    assert act.body["fingerprint"] == Terms.of(config).fingerprint


def test_a_store_that_is_away_holds_up_no_reload(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    former = make_config(tmp_path)
    config = make_config(tmp_path, more=LENIENT)
    (tmp_path / "tamis.db").write_bytes(b"not a database" * 1000)
    for name in ("tamis.db-wal", "tamis.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)

    promises.take_over(config, former, now=NOON)

    away, weakened = warnings(caplog)
    assert away.startswith("policy cannot be compared with what the store remembers: ")
    assert weakened == "policy weakened: antivirus.on_error: tempfail becomes pass"


@gives_up_soon
def test_a_store_that_is_locked_holds_up_no_reload(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    former = make_config(tmp_path)
    promises.take_over(former, now=NOON)
    config = make_config(tmp_path, more=LENIENT)
    with closing(Database(config.store)) as database, database.writing():
        promises.take_over(config, former, now=NOON + 1000)

    weakened, unrecorded = warnings(caplog)
    assert weakened == "policy weakened: antivirus.on_error: tempfail becomes pass"
    assert unrecorded.startswith(f"policy is not on record fingerprint={Terms.of(config).fingerprint}: ")
    assert in_force(config) == InForce(NOON, Terms.of(former))


def test_another_store_is_told_what_changed_since_the_former_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    former = make_config(tmp_path / "one")
    config = make_config(tmp_path / "other", more=LENIENT)

    promises.take_over(config, former, now=NOON)

    assert warnings(caplog) == ["policy weakened: antivirus.on_error: tempfail becomes pass"]


def test_terms_that_are_not_understood_are_taken_for_none(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    with closing(Database(config.store)) as database, database.writing() as connection:
        acts.add(connection, acts.Kind.POLICY, {"terms": {"mode": 7}}, now=NOON)

    promises.take_over(config, now=NOON + 1000)

    assert in_force(config) == InForce(NOON + 1000, Terms.of(config))


def test_the_policy_is_no_act_that_the_transparency_report_counts(tamis: Tamis, tmp_path: Path) -> None:
    promises.take_over(make_config(tmp_path), now=NOON)

    assert tamis("transparency", "--year", "2026", "--json").lines == []


def test_a_reload_and_a_restart_that_weaken_say_so(start_milter: StartMilter) -> None:
    milter = start_milter()
    change(milter, tickets={"fields": ["size"]})
    milter.config.write_text(milter.config.read_text().replace("[milter]", "[milter]\nmode = 'shadow'"))
    milter.restart()

    lines = [line.partition("policy ")[2] for line in milter.log().splitlines() if " policy " in line]
    weakened = [line for line in lines if line.startswith("weakened")]
    assert weakened == [
        "weakened: tickets.fields: now keeps in tickets: size",
        "weakened: milter.mode: enforce becomes shadow",
    ]
    shown = json.loads(milter.do("policy", "--json"))
    assert lines[-1] == f"in force fingerprint={shown['fingerprint']}"
    assert shown["since"] is not None
