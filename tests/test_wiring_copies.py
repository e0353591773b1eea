"""What is found of the listener for copies in a Postfix's configuration."""

from __future__ import annotations

import pytest
from tests.servers.mtas import snippet
from tests.servers.postfix import PAGE, Postfix
from tests.test_wiring_postfix import MASTER, Host, toml
from tests.test_wiring_postfix import host as host

from tamis.resend.handover import LONGEST
from tamis.wiring import mta
from tamis.wiring.remark import Status

RELAY = '[resend]\nrelay = "inet:127.0.0.1:10026"\n'
NAME = "Postfix's 127.0.0.1:10026/inet, resend.relay,"
COPIES = "127.0.0.1:10026 inet n - n - - smtpd\n  -o receive_override_options=no_milters\n"
OTHERS = MASTER.replace("127.0.0.1:10026 inet n - n - - smtpd\n  -o smtpd_milters=\n", "")


def with_listener(host: Host, lines: str, *options: str) -> None:
    """Give the host another listener for copies."""
    host.master = OTHERS + lines + "".join(f"  -o {option}\n" for option in options)


def test_the_documented_listener_leads_past_tamis(host: Host) -> None:
    with_listener(host, snippet(PAGE, "master.cf, copies"))
    checks = {"smtpd_sender_restrictions": "reject_unknown_sender_domain", "content_filter": ""}

    assert host.troubles(RELAY, **checks, smtpd_tls_security_level="encrypt") == []
    assert f"{NAME} leads past Tamis" in [one.text for one in host.remarks(RELAY)]


def test_the_documented_listener_of_a_running_postfix_is_right(
    postfix: Postfix, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in postfix.environment.items():
        monkeypatch.setenv(name, value)
    config = toml(postfix.listeners["away"].milter, RELAY.replace("10026", str(postfix.copies)))

    found = [one for one in mta.remarks(config, LONGEST) if "resend.relay" in one.text]

    assert [one.status for one in found] == [Status.OK]


@pytest.mark.parametrize("option", ["smtpd_milters=unix:tamis/milter.sock", "syslog_name=copies"])
def test_copies_that_come_back_to_tamis_are_a_failure(host: Host, option: str) -> None:
    with_listener(host, "127.0.0.1:10026 inet n - y - - smtpd\n", option)

    ((status, text),) = host.troubles(RELAY)

    assert status == "failed"
    assert text.startswith(f"{NAME} asks Tamis, to which each copy comes back: -o receive_override_options=")


def test_the_listener_for_the_world_is_none_for_copies(host: Host) -> None:
    ((status, text),) = host.troubles(RELAY.replace("10026", "25"))

    assert status == "failed"
    assert text.startswith("Postfix's smtp/inet, resend.relay, asks Tamis")


@pytest.mark.parametrize(
    ("place", "relay"),
    [
        ("localhost:10026", "127.0.0.1:10026"),
        ("127.0.0.1:10026", "localhost:10026"),
        ("[::1]:10026", "[::1]:10026"),
        ("10026", "127.0.0.1:10026"),
        ("192.0.2.1:10026", "192.0.2.1:10026"),
    ],
)
def test_the_listener_is_found_by_its_place(host: Host, place: str, relay: str) -> None:
    with_listener(host, COPIES.replace("127.0.0.1:10026", place))

    texts = [one.text for one in host.remarks(RELAY.replace("127.0.0.1:10026", relay))]

    assert any(text.endswith("resend.relay, leads past Tamis") for text in texts)


@pytest.mark.parametrize("relay", ["inet:127.0.0.1:10027", "inet:192.0.2.1:10026", "unix:/run/copies"])
def test_a_relay_that_is_none_of_postfix_is_a_warning(host: Host, relay: str) -> None:
    assert host.troubles(f'[resend]\nrelay = "{relay}"\n') == [
        ("warning", f"Postfix has no smtpd at {relay}: cannot tell whether copies come back to Tamis")
    ]


def test_a_milter_of_another_kind_may_see_copies(host: Host) -> None:
    with_listener(host, "127.0.0.1:10026 inet n - n - - smtpd\n", "smtpd_milters=inet:127.0.0.1:8891")

    assert host.troubles(RELAY) == []


def test_a_map_of_milters_that_counts_for_copies_is_a_warning(host: Host) -> None:
    with_listener(host, "127.0.0.1:10026 inet n - n - - smtpd\n", "smtpd_milters=")

    troubles = host.troubles(RELAY, smtpd_milter_maps="cidr:/etc/postfix/milters")

    assert ("warning", f"{NAME} may ask Tamis by smtpd_milter_maps: -o smtpd_milter_maps=") in troubles


def test_a_listener_that_wants_tls_is_a_failure(host: Host) -> None:
    with_listener(host, COPIES)

    ((status, text),) = host.troubles(RELAY, smtpd_tls_security_level="encrypt")

    assert (status, text.rpartition(": ")[2]) == ("failed", "-o smtpd_tls_security_level=none")


@pytest.mark.parametrize(("own", "theirs"), [("smtp:[127.0.0.1]:10024", ""), ("", "smtp:[127.0.0.1]:10024")])
def test_copies_that_take_another_way_than_the_rest_are_a_warning(host: Host, own: str, theirs: str) -> None:
    with_listener(host, COPIES, f"content_filter={own}")

    ((status, text),) = host.troubles(RELAY, content_filter=theirs)

    assert (status, text.partition(", and")[0]) == ("warning", f'{NAME} has content_filter "{own}"')


def test_copies_that_take_the_way_of_the_rest_are_right(host: Host) -> None:
    with_listener(host, COPIES)

    assert host.troubles(RELAY, content_filter="smtp:[127.0.0.1]:10024") == []


def test_checks_that_may_refuse_copies_are_a_warning(host: Host) -> None:
    with_listener(host, COPIES, "smtpd_recipient_restrictions=permit_mynetworks,reject")
    checks = {
        "smtpd_sender_restrictions": "reject_unknown_sender_domain",
        "smtpd_client_restrictions": "permit_mynetworks, reject_unknown_client_hostname",
    }

    ((status, text),) = host.troubles(RELAY, **checks)

    assert status == "warning"
    assert text.startswith(f"{NAME} may refuse copies by smtpd_sender_restrictions: ")


@pytest.mark.parametrize(
    ("patience", "wrong"), [("60s", "failed"), ("61s", "warning"), ("260s", "warning"), ("261s", "")]
)
def test_postfix_must_wait_longer_than_copies_take(host: Host, patience: str, wrong: str) -> None:
    with_listener(host, COPIES)

    troubles = host.troubles(RELAY, milter_content_timeout=patience)

    assert [status for status, _ in troubles] == ([wrong] if wrong else [])


def test_without_copies_postfix_may_wait_no_longer_than_tamis_thinks(host: Host) -> None:
    assert host.troubles(milter_content_timeout="61s") == []
