"""What is found in a Postfix's configuration: by the real postconf, in files of the tests' own."""

from __future__ import annotations

import os
import pwd
import socket
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.servers.mtas import DOMAINS
from tests.servers.postfix import PROGRAMS, Postfix

from tamis import config as configuration
from tamis.config import Config
from tamis.resend.handover import LONGEST
from tamis.wiring import mta
from tamis.wiring import postfix as postfix_facts
from tamis.wiring.postfix import Milter
from tamis.wiring.remark import Remark, Status

MASTER = """
smtp       inet n - y - - smtpd
submission inet n - y - - smtpd
  -o milter_macro_daemon_name=ORIGINATING
127.0.0.1:10026 inet n - n - - smtpd
  -o smtpd_milters=
cleanup    unix n - y - 0 cleanup
"""


def listening(path: Path) -> socket.socket:
    """Return a listening socket that everybody may connect to."""
    one = socket.socket(socket.AF_UNIX)
    one.bind(str(path))
    one.listen()
    path.chmod(0o666)
    return one


def toml(listen: str, extra: str = "") -> Config:
    domains = ", ".join(f'"{domain}"' for domain in DOMAINS)
    text = f'milter.listen = "{listen}"\nmail.domains = [{domains}]\n{extra}'
    return configuration.parse(text, "tamis.toml")


class Host:
    """A host with a Postfix that is wired as it should be, until a test says otherwise."""

    def __init__(self, folder: Path) -> None:
        self.queue = folder / "queue"
        self.folder = folder
        (self.queue / "tamis").mkdir(parents=True)
        self.socket = listening(self.queue / "tamis/milter.sock")
        self.listen = f"unix:{self.queue}/tamis/milter.sock"
        self.main = {
            "compatibility_level": "3.6",
            "queue_directory": str(self.queue),
            "mail_owner": pwd.getpwuid(os.geteuid()).pw_name,
            "smtpd_milters": "unix:tamis/milter.sock",
            "non_smtpd_milters": "unix:tamis/milter.sock",
            "milter_default_action": "tempfail",
            "recipient_delimiter": "+",
            "mydestination": "",
            "virtual_mailbox_domains": ", ".join(DOMAINS),
        }
        self.master = MASTER

    def remarks(self, extra: str = "", **main: str) -> list[Remark]:
        """Return what is said where these parameters of main.cf differ, and these lines of tamis.toml."""
        lines = [f"{name} = {value}" for name, value in (self.main | main).items()]
        for name, text in (("main.cf", "\n".join(lines) + "\n"), ("master.cf", self.master)):
            (self.folder / name).write_text(text)
            os.utime(self.folder / name, (0, 0))  # Postfix lets a file cool down for a second
        return list(mta.remarks(toml(self.listen, extra), LONGEST))

    def troubles(self, extra: str = "", **main: str) -> list[tuple[str, str]]:
        """Return the status and text of what is not right."""
        found = self.remarks(extra, **main)
        return [(one.status.value, one.text) for one in found if one.status is not Status.OK]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """Return a host whose main.cf and master.cf postconf finds."""
    with tempfile.TemporaryDirectory(prefix="tamis-") as folder:
        monkeypatch.setenv("PATH", f"{PROGRAMS}/usr/sbin:{os.environ['PATH']}")
        monkeypatch.setenv("LD_LIBRARY_PATH", f"{PROGRAMS}/usr/lib/postfix")
        monkeypatch.setenv("MAIL_CONFIG", folder)
        one = Host(Path(folder))
        with closing(one.socket):
            yield one


# --- The whole -------------------------------------------------------------------------------------


def test_a_wired_postfix_has_nothing_to_be_said_against_it(host: Host) -> None:
    assert host.troubles() == []
    assert len(host.remarks()) >= 4


def test_the_documented_postfix_is_right(postfix: Postfix, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in postfix.environment.items():
        monkeypatch.setenv(name, value)
    listen = postfix.listeners["away"].milter
    path = Path(listen.removeprefix("unix:"))
    with closing(listening(path)):
        found = list(mta.remarks(toml(listen), LONGEST))
    path.unlink()

    assert [one.text for one in found if one.status is Status.FAILED] == []
    # Only the listeners of this site ask it; local programs' mail goes to another.
    assert [one.text for one in found if one.status is Status.WARNING] == [
        "Postfix's non_smtpd_milters does not name Tamis: mail of this host's programs is not filtered"
    ]


# --- Who asks Tamis --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [
        "unix:/tamis/milter.sock",
        "local:tamis/milter.sock",
        "inet:127.0.0.1:11332, unix:tamis/milter.sock",
        "{ unix:tamis/milter.sock, connect_timeout=10s }",
        "$mua_milters",
    ],
)
def test_tamis_is_found_among_milters(host: Host, written: str) -> None:
    assert host.troubles(smtpd_milters=written, mua_milters="unix:tamis/milter.sock") == []


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("smtpd_milters", ""),
        ("smtpd_milters", "unix:/elsewhere"),
        ("smtpd_milters", "inet:127.0.0.1:8891"),
        ("receive_override_options", "no_milters"),
    ],
)
def test_a_postfix_that_never_asks_tamis_fails(host: Host, parameter: str, value: str) -> None:
    troubles = host.troubles(**{parameter: value})

    assert ("failed", f"Postfix's smtpd_milters does not name {host.listen}") in troubles


@pytest.mark.parametrize(
    ("written", "listen"),
    [
        ("inet:127.0.0.1:8891", "inet:127.0.0.1:8891"),
        ("inet:localhost:8891", "inet:127.0.0.1:8891"),
        ("inet:[::1]:8891", "inet:[::1]:8891"),
    ],
)
def test_a_port_of_this_host_is_known_by_its_names(host: Host, written: str, listen: str) -> None:
    host.listen = listen

    assert host.troubles(smtpd_milters=written, non_smtpd_milters=written) == []


@pytest.mark.parametrize("option", ["smtpd_milters=", "receive_override_options=no_milters"])
def test_a_public_listener_past_tamis_fails(host: Host, option: str) -> None:
    host.master = MASTER.replace(
        "submission inet n - y - - smtpd", f"465 inet n - y - - smtpd\n  -o {option}"
    )

    assert host.troubles() == [("failed", "Postfix takes mail at 465/inet and does not ask Tamis")]


def test_a_listener_behind_postscreen_is_public(host: Host) -> None:
    host.master = MASTER + "smtpd pass - - y - - smtpd\n  -o smtpd_milters=\n"

    assert host.troubles() == [("failed", "Postfix takes mail at smtpd/pass and does not ask Tamis")]


def test_a_public_listener_on_a_port_of_its_own_is_a_warning(host: Host) -> None:
    host.master = MASTER + "192.0.2.1:2525 inet n - y - - smtpd\n  -o smtpd_milters=\n"

    assert host.troubles() == [
        ("warning", "Postfix takes mail at 192.0.2.1:2525/inet and does not ask Tamis")
    ]


@pytest.mark.parametrize("interfaces", ["loopback-only", "localhost", "127.0.0.1, ::1"])
def test_a_postfix_on_loopback_has_no_public_listener(host: Host, interfaces: str) -> None:
    host.master = MASTER + "2525 inet n - y - - smtpd\n  -o smtpd_milters=\n"

    assert host.troubles(inet_interfaces=interfaces) == []


def test_local_programs_past_tamis_are_a_warning(host: Host) -> None:
    assert [status for status, _ in host.troubles(non_smtpd_milters="")] == ["warning"]


def test_clients_that_a_map_lets_past_tamis_are_a_warning(host: Host) -> None:
    troubles = host.troubles(smtpd_milter_maps="cidr:/etc/postfix/milters")

    assert troubles == [("warning", "Postfix's smtpd_milter_maps may let some clients past Tamis")]


# --- The socket ------------------------------------------------------------------------------------


def test_a_path_outside_the_chroot_fails(host: Host) -> None:
    troubles = host.troubles(smtpd_milters=host.listen)

    assert [status for status, _ in troubles] == ["failed"]
    assert f"in its chroot {host.queue}, where {host.listen} is not" in troubles[0][1]


def test_a_path_below_the_queue_is_no_absolute_one_outside_a_chroot(host: Host) -> None:
    host.master = MASTER.replace(" y ", " n ")

    assert [status for status, _ in host.troubles(smtpd_milters="unix:/tamis/milter.sock")] == ["failed"]
    assert host.troubles(smtpd_milters=host.listen) == []


def test_a_chroot_is_the_default_only_below_compatibility_level_1(host: Host) -> None:
    host.master = MASTER.replace(" y ", " - ")

    assert host.troubles(smtpd_milters=host.listen) == []
    assert [s for s, _ in host.troubles(smtpd_milters=host.listen, compatibility_level="0")] == ["failed"]


def test_a_socket_linked_into_the_chroot_is_found(host: Host) -> None:
    (host.queue / "link").symlink_to(host.queue / "tamis")

    assert host.troubles(smtpd_milters="unix:link/milter.sock") == []


def test_a_socket_that_postfix_may_not_write_to_fails(host: Host) -> None:
    (host.queue / "tamis/milter.sock").chmod(0o600)

    troubles = host.troubles(mail_owner="nobody")

    assert [status for status, _ in troubles] == ["failed"]
    assert f"nobody may not write to {host.queue}/tamis/milter.sock" in troubles[0][1]


def test_a_tamis_that_does_not_run_is_a_warning(host: Host) -> None:
    (host.queue / "tamis/milter.sock").unlink()

    assert host.troubles() == [("warning", f"{host.listen} is not there: Tamis does not run")]


def test_an_unknown_mail_owner_fails(host: Host) -> None:
    troubles = host.troubles(mail_owner="no-such-user")

    assert ("failed", "Postfix's mail_owner no-such-user is no user of this host") in troubles


# --- While Tamis is away or late -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "status"),
    [("accept", "failed"), ("reject", "failed"), ("quarantine", "failed"), ("shutdown", "warning")],
)
def test_what_postfix_does_without_tamis_is_judged(host: Host, action: str, status: str) -> None:
    assert [status for status, _ in host.troubles(milter_default_action=action)] == [status]


def test_accepting_is_a_warning_where_malware_may_pass_anyway(host: Host) -> None:
    troubles = host.troubles('antivirus.on_error = "pass"\n', milter_default_action="accept")

    assert [status for status, _ in troubles] == ["warning"]


def test_an_action_by_default_is_a_warning(host: Host) -> None:
    del host.main["milter_default_action"]

    troubles = host.troubles()

    assert [status for status, _ in troubles] == ["warning"]
    assert "not set" in troubles[0][1]


def test_a_milters_own_settings_count(host: Host) -> None:
    own = "{ unix:tamis/milter.sock, default_action=accept, content_timeout=20s }"

    troubles = host.troubles(smtpd_milters=own)

    assert [status for status, _ in troubles] == ["failed", "failed"]
    assert troubles[0][1].endswith("(smtp/inet, submission/inet)")


def test_a_listeners_own_settings_count(host: Host) -> None:
    host.master = MASTER.replace("  -o milter_macro", "  -o milter_content_timeout=30s\n  -o milter_macro")

    ((status, text),) = host.troubles()

    assert (status, text.rpartition(" ")[2]) == ("failed", "(submission/inet)")


@pytest.mark.parametrize(("patience", "wrong"), [("60s", True), ("61s", False), ("1w", False), ("5m", False)])
def test_postfix_must_wait_longer_than_tamis_thinks(host: Host, patience: str, wrong: bool) -> None:
    statuses = [status for status, _ in host.troubles(milter_content_timeout=patience)]

    assert statuses == (["failed"] if wrong else [])


def test_a_short_command_timeout_is_a_warning(host: Host) -> None:
    assert [status for status, _ in host.troubles(milter_command_timeout="5s")] == ["warning"]


def test_an_old_protocol_is_a_warning(host: Host) -> None:
    assert [status for status, _ in host.troubles(milter_protocol="2")] == ["warning"]


# --- What else must agree --------------------------------------------------------------------------


def test_a_public_listener_named_outgoing_fails(host: Host) -> None:
    troubles = host.troubles(milter_macro_daemon_name="ORIGINATING")

    assert [status for status, _ in troubles] == ["failed"]
    assert "smtp/inet: incoming mail is taken for outgoing" in troubles[0][1]


def test_a_submission_not_named_outgoing_is_a_warning(host: Host) -> None:
    host.master = MASTER.replace("ORIGINATING", "mail.example.org")

    assert [status for status, _ in host.troubles()] == ["warning"]


@pytest.mark.parametrize("limit", ["0", "60000000"])
def test_mail_too_large_to_be_scanned_is_a_warning(host: Host, limit: str) -> None:
    troubles = host.troubles(message_size_limit=limit, mailbox_size_limit="0", virtual_mailbox_limit="0")

    assert [status for status, _ in troubles] == ["warning"]


def test_filing_that_would_bounce_fails(host: Host) -> None:
    assert [status for status, _ in host.troubles(recipient_delimiter="")] == ["failed"]


def test_filing_that_another_program_sorts_is_a_warning(host: Host) -> None:
    troubles = host.troubles(recipient_delimiter="", virtual_transport="lmtp:unix:private/dovecot-lmtp")

    assert [status for status, _ in troubles] == ["warning"]


def test_nothing_filed_needs_no_delimiter(host: Host) -> None:
    assert host.troubles('mail.recipient_delimiter = ""\n', recipient_delimiter="") == []


def test_domains_that_only_one_of_both_has_are_warnings(host: Host) -> None:
    troubles = host.troubles(virtual_mailbox_domains="example.org, example.com, other.example.org")

    assert [text.split(" has ")[0] for _, text in troubles] == [
        "mail.domains",
        "Postfix's virtual_mailbox_domains",
    ]


def test_domains_in_tables_are_not_guessed(host: Host) -> None:
    assert host.troubles(virtual_mailbox_domains="hash:/etc/postfix/domains") == []


# --- Lists -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("inet:localhost:1, unix:a  unix:b", ["inet:localhost:1", "unix:a", "unix:b"]),
        ("{unix:a,default_action=accept},unix:b", ["unix:a", "unix:b"]),
        ("{ unix:a, { default_action = accept } }", ["unix:a"]),
    ],
)
def test_lists_of_milters_are_understood(text: str, found: list[str]) -> None:
    assert [one.address for one in postfix_facts.milters(text)] == found


def test_settings_in_braces_are_understood() -> None:
    (milter,) = postfix_facts.milters("{ unix:a, { default_action = accept }, protocol=6, unknown=1 }")

    assert milter == Milter("unix:a", {"default_action": "accept", "protocol": "6"})
