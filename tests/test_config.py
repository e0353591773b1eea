"""The configuration: strict, and plain about what is wrong where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import MINIMAL, parsed

from tamis import config as configuration
from tamis.config import Config, ConfigError


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as raised:
        configuration.parse(text, "tamis.toml")
    return str(raised.value)


def test_domains_are_all_that_must_be_said() -> None:
    assert configuration.parse(MINIMAL, "tamis.toml").mail.domains == ("example.org",)


@pytest.mark.parametrize("text", ["", "[mail]\n", "[mail]\ndomains = []\n"])
def test_no_domain_refuses_to_start(text: str) -> None:
    assert 'mail.domains: expected at least one domain, such as ["example.org"]' in refusal(text)


def test_a_wrong_value_is_named_with_file_line_and_what_is_expected() -> None:
    text = MINIMAL + "\n# scanner\n[headers]\non_clean = true\n\n[antivirus]\n"
    text += 'clamd = [\n  "unix:/run/clamav/clamd.ctl",\n]\non_error = "ignore"\n'

    says = refusal(text)

    assert says == 'tamis.toml line 12: antivirus.on_error: expected "tempfail" or "pass", got "ignore"'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "[antivirus]\non_eror = 1",
            "tamis.toml line 4: antivirus.on_eror: unknown key; did you mean antivirus.on_error?",
        ),
        ("[antivirs]\nclamd = 1", "tamis.toml line 3: antivirs: unknown key; did you mean antivirus?"),
        (
            "[milter]\nlisten = 'tcp:1'",
            'milter.listen: expected "unix:/PATH" or "inet:HOST:PORT", got "tcp:1"',
        ),
        ("[milter]\ndeadline = '60'", 'milter.deadline: expected a duration such as "30s"'),
        ("[milter]\ndeadline = 0", "milter.deadline: expected greater than 0, got 0"),
        ("[milter]\nmax_message = '50 apples'", 'milter.max_message: expected a size such as "25MB"'),
        (
            "[milter]\nmax_message = '50MB'\nmax_in_memory = '99MB'",
            "milter.max_in_memory: expected at least twice max_message (100000000), or 0, got 99000000",
        ),
        ("[milter]\nmode = 'dry'", 'milter.mode: expected "enforce" or "shadow", got "dry"'),
        ("[milter]\nworkers = '2'", "milter.workers: expected a valid integer"),
        ("[headers]\non_clean = 'yes'", 'headers.on_clean: expected true or false, got "yes"'),
        ("[accounts]\nsources = 'table'", 'accounts.sources: expected a list, got "table"'),
        ("[accounts]\nsources = ['ldap:x']", 'accounts.sources: expected "table", "file:/PATH"'),
        ("internal_networks = ['here']", 'expected a network such as "192.0.2.0/24", got "here"'),
        ("[filing]\nspam = 'my junk'", "filing.spam: expected 1 to 32 letters"),
        ("[antispam]\nmark = 'low'", "antispam.mark: expected a valid number"),
        ("[antispam]\nmark = inf", "antispam.mark: expected a finite number"),
        ("[milter]\ndeadline = inf", "milter.deadline: expected less than or equal to 86400, got inf"),
        ("[store]\ntimeout = '1 month'", "store.timeout: expected less than or equal to 86400"),
        (f"[milter]\nmax_message = 0x{'f' * 5000}", "milter.max_message: expected less than or equal to"),
        ("[antispam]\nrefuse = -1", "antispam.refuse: expected greater than or equal to 0"),
        ("[outgoing]\nspam_refuse = 0", "outgoing.spam_refuse: expected greater than 0"),
        ("[antivirus]\nclamd = []", "antivirus.clamd: expected at least one, got []"),
        (
            "[options]\nlisten = 'inet:127.0.0.1:1'\nmetrics = 'inet:127.0.0.1:1'",
            "options.metrics: expected another socket than that of options.listen",
        ),
        (
            "[options]\nlisten = 'unix:/run/x'\nsign_in = ['header']\n"
            "header = {name = 'X-User', operator = 'x-user'}",
            "options.header.operator: expected another field than that of users",
        ),
        ("[metrics]\nfile = 'tamis.prom'", 'metrics.file: expected "/PATH/NAME.prom", got "tamis.prom"'),
        ('[metrics]\nfile = "/a\\u0000.prom"', 'metrics.file: expected "/PATH/NAME.prom"'),
        ("[metrics]\nfile = '/run/tamis'", 'metrics.file: expected "/PATH/NAME.prom", got "/run/tamis"'),
        ("[metrics]\ninterval = '10ms'", "metrics.interval: expected greater than or equal to 1"),
        ("[resend]\nremember = '59s'", "resend.remember: expected greater than or equal to 60"),
        ("[resend]\nremember = '25h'", "resend.remember: expected less than or equal to 86400"),
        ("[resend]\nrelay = 'here'", 'resend.relay: expected "unix:/PATH" or "inet:HOST:PORT"'),
        (
            "[retention]\nticket.age = { floor = '1 year', ceiling = '1 year' }",
            "line 4: retention.ticket.age.ceiling: expected at least 3d more than the floor of 1 year, got",
        ),
        (
            "[retention.ticket]\nage.floor = '2 years'",
            "line 4: retention.ticket.age.floor: expected at least 3d less than the ceiling of 1 year, got",
        ),
        (
            "[retention]\npreset = 'mailpro'\nticket.closing.ceiling = '30d'",
            'ceiling: expected at least 3d more than the floor of 45d (mailpro: "If you close your account',
        ),
        (
            "[tickets]\npseudonymise_after = '6 months'\n[retention]\npreset = 'mailo'",
            'line 4: tickets.pseudonymise_after: expected at least the floor of 1 year (mailo: "operating',
        ),
        ("[retention]\nlog.age.ceiling = '1d'", "expected at least 7d, as a purge runs once a day, got 1d"),
        ("[retention]\nticket.age.ceiling = 4", 'expected a duration such as "1 year" or "395d", got 4'),
        ("[retention]\nticket.age.ceiling = '1.5 months'", "expected whole months or years"),
        ("[retention]\nnotice = '1d'", "retention.notice: expected at least 7d, got 1d"),
        ("[retention]\npreset = 'x'", 'retention.preset: expected "", "mailo"'),
        (
            "[retention.session]\nsign_in.ceiling = '1 year'",
            "retention.session.sign_in: no such clock here, expected session.age or session.closing",
        ),
        ("[retention.copy_guard]", "line 3: retention.copy_guard: its ceiling is resend.remember"),
        ("[retention.tickets]", "retention.tickets: unknown key; did you mean retention.ticket?"),
        ("[retention]\nticket.age.flor = '1d'", "did you mean retention.ticket.age.floor?"),
        ("[users]\nmay_change = ['colour']", "tamis.toml line 4: users.may_change: expected "),
        (
            "[users.defaults]\nantispam = 'maybe'",
            'line 4: users.defaults.antispam: expected on or off, got "maybe"',
        ),
        (
            "[users.defaults]\nantispm = 'on'",
            'users.defaults.antispm: unknown setting "antispm"; did you mean antispam?',
        ),
        (
            f"[users.defaults]\n'antispam.mark' = 1{'0' * 400}",
            "line 4: users.defaults.antispam.mark: expected bits such as 5.0",
        ),
        (
            "[antivirus]\n'on error' = 1",
            'line 4: antivirus."on error": unknown key; did you mean antivirus.on_err',
        ),
        (
            "[users.domains]\n'example.org' = { graymail = 'x' }",
            "users.domains.example.org.graymail: expected on or off",
        ),
    ],
)
def test_what_is_wrong_is_named(text: str, says: str) -> None:
    assert says in refusal(MINIMAL + text)


def test_a_value_in_the_place_of_a_table_is_named() -> None:
    assert refusal("headers = 1\n" + MINIMAL) == "tamis.toml line 1: headers: expected a table, got 1"


def test_every_mistake_is_named_at_once() -> None:
    says = refusal(MINIMAL + "[headers]\non_clean = 1\n[milter]\nmode = 'dry'\n")

    assert [line.split(": ")[1] for line in says.splitlines()] == ["milter.mode", "headers.on_clean"]


def test_a_file_that_is_not_toml_is_refused_with_its_line() -> None:
    assert refusal("[mail\n").startswith("tamis.toml: not TOML: ")


def test_a_number_beyond_the_parsers_limits_is_refused() -> None:
    assert refusal("x = " + "9" * 5000).startswith("tamis.toml: not TOML: ")


@pytest.mark.parametrize("text", ["x = " + "[" * 5000, "[milter.mode" + ".a" * 3000 + "]\n"])
@pytest.mark.parametrize("before", ["", MINIMAL + "[users.defaults]\n"])
def test_what_is_nested_too_deeply_is_refused(text: str, before: str) -> None:
    assert refusal(before + text) == "tamis.toml: not TOML that can be used: nested too deeply"


def test_a_setting_in_hundreds_of_tables_is_refused() -> None:
    says = refusal(MINIMAL + "[users.defaults]\na" + ".a" * 3000 + " = 1\n")

    assert says == "tamis.toml: not TOML that can be used: nested too deeply"


def test_what_the_parser_says_is_not_longer_than_one_can_read() -> None:
    key = "mail" + ".a" * 400
    says = refusal(f"{key} = {{}}\n{key}.b = 1\n")

    assert says.startswith("tamis.toml: not TOML: Cannot mutate immutable namespace")
    assert len(says) < 400


def test_a_mistake_stays_on_its_line_and_is_not_longer_than_one_can_read() -> None:
    says = refusal(MINIMAL + '[milter]\nmode = "a\\n\\u001b[31mred' + "x" * 9000 + '"\n')

    assert says.startswith(
        r'tamis.toml line 4: milter.mode: expected "enforce" or "shadow", got "a\n\x1b[31mredxxx'
    )
    assert says.endswith("xxx...")
    assert len(says) < 400


def test_lines_are_counted_as_toml_counts_them() -> None:
    text = "# one\u2028line\x85\n" + MINIMAL + "[milter]\nmode = 'dry'\n"

    assert refusal(text).startswith("tamis.toml line 5: milter.mode: ")


@pytest.mark.parametrize("text", ["store = '{}'", "[store]\nurl = ['{}']", "[store]\nurl.a = '{}'"])
def test_a_store_in_the_wrong_shape_is_refused_without_its_password(text: str) -> None:
    says = refusal(text.format("postgresql+psycopg://tamis:hunter2@db.example.org/tamis") + "\n" + MINIMAL)

    assert "store" in says and "hunter2" not in says


@pytest.mark.parametrize(
    "url",
    [
        "mysql://tamis:hunter2@db.example.org/tamis",
        "tamis.db hunter2",
        "sqlite://",
        "postgresql://a:hunter2@b:x/",
        "postgresql+psycopg://a:hunter2@b/c?host=d e",
        "postgresql+psycopg://a:hunter2@b/c?host=d&host=e&port=5",
    ],
)
def test_a_wrong_store_is_refused_without_its_password(url: str) -> None:
    says = refusal(MINIMAL + f"[store]\nurl = '{url}'\n")

    assert says.endswith('store.url: expected "sqlite:////PATH" or "postgresql+psycopg://..."')


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml: cannot be read"):
        configuration.load(str(tmp_path / "absent.toml"))


def test_the_given_file_comes_before_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAMIS_CONFIG", "/srv/tamis.toml")

    assert configuration.find("/tmp/mine.toml") == Path("/tmp/mine.toml")
    assert configuration.find(None) == Path("/srv/tamis.toml")


def test_without_a_word_the_file_is_in_etc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAMIS_CONFIG", raising=False)

    assert configuration.find(None) == Path("/etc/tamis/tamis.toml")


def test_units_are_read() -> None:
    config = parsed("[milter]\ndeadline = '2m'\nmax_message = '25MB'\n[store]\ntimeout = '5s'\n")

    assert (config.milter.deadline, config.milter.max_message, config.store.timeout) == (120, 25_000_000, 5)


def test_one_clamd_or_several_may_be_named() -> None:
    one = parsed("[antivirus]\nclamd = 'inet:127.0.0.1:3310'\n")
    several = parsed("[antivirus]\nclamd = ['unix:/run/a', 'inet:127.0.0.1:3310']\n")

    assert one.antivirus.clamd == ("inet:127.0.0.1:3310",)
    assert several.antivirus.clamd == ("unix:/run/a", "inet:127.0.0.1:3310")


def test_domains_are_compared_in_lower_case() -> None:
    assert configuration.parse('[mail]\ndomains = ["Example.ORG"]', "x").mail.domains == ("example.org",)


def test_thresholds_are_rounded_as_scores_are() -> None:
    assert parsed("[antispam]\nmark = 4.96\n").antispam.mark == 5.0


def test_settings_are_read_as_tables_or_as_quoted_keys() -> None:
    tables = parsed("[users.defaults]\nantispam.action = 'file'\n")
    quoted = parsed("[users.defaults]\n'antispam.action' = 'file'\n")

    assert tables.users.defaults == quoted.users.defaults == {"antispam.action": "file"}


def test_the_sites_threshold_is_below_the_defaults_of_users() -> None:
    site = parsed("[antispam]\nmark = 4\n")
    users = parsed("[antispam]\nmark = 4\n[users.defaults]\n'antispam.mark' = 6\n")

    assert site.site_settings()["antispam.mark"] == 4.0
    assert users.site_settings()["antispam.mark"] == 6.0


def test_the_configuration_never_changes() -> None:
    config = parsed("")

    with pytest.raises(ValueError, match="frozen"):
        config.milter.workers = 3


SCALARS = (
    st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=20)
)


def toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case str():
            return json.dumps(value, ensure_ascii=False)
    return str(value)


def keys() -> list[str]:
    return [
        f"{name}.{key}"
        for name, section in Config.model_fields.items()
        for key in type(section.get_default()).model_fields
    ]


@given(
    st.sampled_from(keys()), st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=5)
)
@settings(max_examples=400, deadline=None)
def test_any_value_of_any_key_is_taken_or_explained(key: str, value: object) -> None:
    try:
        configuration.parse(f"{key} = {toml(value)}\nmail.domains = ['example.org']\n", "tamis.toml")
    except ConfigError as error:
        assert str(error).startswith(
            (f"tamis.toml line 1: {key}: ", "tamis.toml: not TOML: Cannot overwrite")
        )
