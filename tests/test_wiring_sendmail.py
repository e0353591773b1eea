"""What is found in a Sendmail's configuration, in files of the tests' own."""

from __future__ import annotations

import getpass
import socket
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.servers.sites import Site, Sites

from tamis import config as configuration
from tamis.resend.handover import LONGEST
from tamis.wiring import mta, postfix, sendmail, sendmail_remarks
from tamis.wiring.remark import Remark, Status

FLAGS = "T"
TIMES = "C:30s;S:30s;R:5m;E:5m"
DAEMONS = (
    "Name=MTA-v4, Family=inet, Port=smtp",
    "Name=ORIGINATING, Family=inet, Port=submission, M=Ea",
)
COPIES = "Name=copies, Addr=127.0.0.1, Port=10026, InputMailFilters="
RELAY = '[resend]\nrelay = "inet:127.0.0.1:10026"\n'


class Host:
    """A host with a Sendmail that is wired as it should be, until a test says otherwise."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "sendmail.cf"
        self.path = folder / "milter.sock"
        self.listen = f"unix:{self.path}"
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(self.path))
        self.user = getpass.getuser()

    def troubles(
        self,
        extra: str = "",
        *,
        where: str | None = None,
        flags: str = FLAGS,
        times: str = TIMES,
        asked: str = "opendkim, tamis",
        daemons: tuple[str, ...] = DAEMONS,
        options: str = "O MaxMessageSize=26214400",
        trust: str = "TrustStickyBit",  # the socket lies in /tmp
    ) -> list[tuple[str, str]]:
        """Return the status and text of what is not right."""
        milter = f"Xtamis, S={where or f'local:{self.path}'}, F={flags}, T={times}"
        lines = ["# comment", "Xopendkim, S=inet:8891@localhost", milter]
        lines += [f"O DaemonPortOptions={one}" for one in daemons]
        lines += [f"O InputMailFilters={asked}", f"O RunAsUser={self.user}", options]
        lines += [f"O DontBlameSendmail={trust}"]
        self.file.write_text("\n".join(lines) + "\n")
        text = f'milter.listen = "{self.listen}"\nmail.domains = ["example.org"]\n{extra}'
        found = mta.remarks(configuration.parse(text, "tamis.toml"), LONGEST)
        return [(one.status.value, one.text) for one in found if one.status is not Status.OK]

    def statuses(self, extra: str = "", **changes: str | tuple[str, ...]) -> list[str]:
        """Return the statuses of what is not right."""
        return [status for status, _ in self.troubles(extra, **changes)]  # type: ignore[arg-type]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """Return a host whose sendmail.cf is found, and no Postfix."""
    with tempfile.TemporaryDirectory(prefix="tamis-") as folder:
        monkeypatch.setenv("PATH", "/nonexistent")
        monkeypatch.setattr(postfix, "FOLDERS", ())
        one = Host(Path(folder))
        monkeypatch.setattr(sendmail, "FILES", (Path("/nonexistent/sendmail.cf"), one.file))
        with closing(one.socket):
            yield one


def test_a_wired_sendmail_has_nothing_to_be_said_against_it(host: Host) -> None:
    assert host.troubles() == []


def test_the_documented_sendmail_passes_the_check(
    sendmail_site: Site, sites: Sites, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(postfix, "FOLDERS", ())
    monkeypatch.setattr(sendmail, "FILES", (sites.sendmail.cf,))

    printed = sendmail_site.run("check")

    assert "Sendmail asks Tamis about mail from " in printed
    assert "failed" not in printed


def test_a_port_of_this_host_is_known_by_its_names(host: Host) -> None:
    host.listen = "inet:127.0.0.1:8892"

    assert host.troubles(where="inet:8892@localhost") == []


def test_a_sendmail_without_tamis_fails(host: Host) -> None:
    assert host.statuses(where="local:/elsewhere") == ["failed"]


def test_a_milter_that_is_defined_and_not_asked_fails(host: Host) -> None:
    assert host.statuses(asked="opendkim") == ["failed"]


def test_a_daemon_with_milters_of_its_own_fails(host: Host) -> None:
    other = "Name=other, Port=2525, InputMailFilters=opendkim"

    assert host.troubles(daemons=(*DAEMONS, other)) == [
        ("failed", "Sendmail takes mail at other and does not ask Tamis")
    ]


def test_a_daemon_of_its_own_on_loopback_is_a_warning(host: Host) -> None:
    other = "Name=other, Port=2525, Addr=127.0.0.1, InputMailFilters=opendkim"

    assert host.statuses(daemons=(*DAEMONS, other)) == ["warning"]


def test_a_daemon_may_name_tamis_for_itself(host: Host) -> None:
    own = tuple(f"{one}, I=opendkim;tamis" for one in DAEMONS)

    assert host.troubles(asked="", daemons=own) == []


def test_a_sendmail_without_daemon_options_has_one_daemon(host: Host) -> None:
    assert host.troubles(daemons=()) == []


@pytest.mark.parametrize(("flags", "status"), [("", "failed"), ("R", "failed"), ("4", "warning")])
def test_what_sendmail_does_without_tamis_is_judged(host: Host, flags: str, status: str) -> None:
    assert host.statuses(flags=flags) == [status]


def test_accepting_is_a_warning_where_malware_may_pass_anyway(host: Host) -> None:
    assert host.statuses('antivirus.on_error = "pass"\n', flags="") == ["warning"]


@pytest.mark.parametrize(
    ("times", "statuses"),
    [
        ("R:61;E:61", []),
        ("R:2m", []),
        ("R:2m;E:60s", ["failed"]),
        ("R:60s;E:5m", ["failed"]),
        ("", ["failed"]),  # R is 10 seconds then
    ],
)
def test_sendmail_must_wait_longer_than_tamis_thinks(host: Host, times: str, statuses: list[str]) -> None:
    assert host.statuses(times=times) == statuses


@pytest.mark.parametrize(
    ("times", "statuses"),
    [
        ("R:261;E:261", []),
        ("R:5m", []),  # E is 300 seconds then
        ("R:2m;E:5m", ["warning"]),
        ("R:5m;E:260s", ["warning"]),
        ("R:60s;E:5m", ["failed"]),
    ],
)
def test_sendmail_must_wait_longer_than_copies_take(host: Host, times: str, statuses: list[str]) -> None:
    assert host.statuses(RELAY, times=times, daemons=(*DAEMONS, COPIES)) == statuses


# --- The listener for copies -----------------------------------------------------------------------


def test_a_daemon_for_copies_leads_past_tamis(host: Host) -> None:
    assert host.troubles(RELAY, daemons=(*DAEMONS, COPIES)) == []


def test_the_documented_daemon_for_copies_is_right(sendmail_site: Site, sites: Sites) -> None:
    text = sendmail_site.milter.config.read_text() + RELAY.replace("10026", str(sites.sendmail.copies))
    config = configuration.parse(text, "tamis.toml")

    found = list(sendmail_remarks.remarks(config, sendmail.read(sites.sendmail.cf), LONGEST))

    assert [one.status for one in found if "resend.relay" in one.text] == [Status.OK]
    assert [one.text for one in found if "on their way" in one.text] == []


@pytest.mark.parametrize("filters", ["", ", InputMailFilters=tamis", ", I=opendkim;tamis"])
def test_copies_that_come_back_to_tamis_are_a_failure(host: Host, filters: str) -> None:
    daemon = f"Name=copies, Addr=127.0.0.1, Port=10026{filters}"

    ((status, text),) = host.troubles(RELAY, daemons=(*DAEMONS, daemon))

    assert status == "failed"
    assert text.startswith("Sendmail's daemon copies, resend.relay, asks Tamis")


def test_the_daemon_for_the_world_is_none_for_copies(host: Host) -> None:
    ((status, text),) = host.troubles(RELAY.replace("10026", "25"))

    assert status == "failed"
    assert text.startswith("Sendmail's daemon MTA-v4, resend.relay, asks Tamis")


def test_a_daemon_that_wants_a_password_for_copies_is_a_failure(host: Host) -> None:
    assert host.statuses(RELAY, daemons=(*DAEMONS, f"{COPIES}, M=Ea")) == ["failed"]


def test_a_daemon_for_copies_that_others_reach_is_a_failure(host: Host) -> None:
    daemon = COPIES.replace("Addr=127.0.0.1, ", "")

    assert host.troubles(RELAY, daemons=(*DAEMONS, daemon)) == [
        ("failed", "Sendmail takes mail at copies and does not ask Tamis")
    ]


def test_a_relay_that_is_no_daemon_of_sendmail_is_a_warning(host: Host) -> None:
    text = f"{host.file} has no daemon at inet:127.0.0.1:10026: cannot tell whether copies come back to Tamis"

    assert host.troubles(RELAY) == [("warning", text)]


# --- What else must agree --------------------------------------------------------------------------


def test_a_public_daemon_named_outgoing_fails(host: Host) -> None:
    assert host.statuses(daemons=("Name=ORIGINATING, Port=smtp",)) == ["failed"]


def test_a_submission_neither_named_nor_authenticated_is_a_warning(host: Host) -> None:
    assert host.statuses(daemons=(DAEMONS[0], "Name=MSP, Port=submission, M=E")) == ["warning"]
    assert host.statuses(daemons=(DAEMONS[0], "Name=MSP, Port=submission, M=Ea")) == []


def test_mail_too_large_to_be_scanned_is_a_warning(host: Host) -> None:
    assert host.statuses(options="O MaxMessageSize=0") == ["warning"]


def test_a_tamis_that_does_not_run_is_a_warning(host: Host) -> None:
    host.path.unlink()

    assert host.troubles() == [("warning", f"{host.listen} is not there: Tamis does not run")]


def test_a_socket_out_of_sendmails_reach_fails(host: Host) -> None:
    host.user = "nobody"

    ((status, text),) = host.troubles()

    assert (status, text.partition(" (")[0]) == (
        "failed",
        f"Sendmail cannot connect: nobody may not enter {host.path.parent}",
    )


def test_a_socket_in_a_folder_that_others_may_write_to_fails(host: Host) -> None:
    ((status, text),) = host.troubles(trust="safe")

    assert status == "failed"
    assert text.endswith(f"may write to {host.path.parents[1]}, which makes it unsafe")


def test_an_unknown_user_fails(host: Host) -> None:
    host.user = "no-such-user"

    assert host.troubles() == [("failed", "Sendmail's RunAsUser no-such-user is no user of this host")]


def test_lines_that_go_on_are_one(host: Host) -> None:
    assert host.troubles(flags="T,\n\t") == []


def test_a_file_that_cannot_be_read_is_a_warning(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sendmail, "FILES", (host.file.parent,))
    text = f'milter.listen = "{host.listen}"\nmail.domains = ["example.org"]\n'

    found: list[Remark] = list(mta.remarks(configuration.parse(text, "tamis.toml"), LONGEST))

    assert [one.status for one in found] == [Status.WARNING]
