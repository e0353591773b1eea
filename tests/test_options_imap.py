"""Signing in by the password of the mailbox."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.examples import parsed
from tests.servers.imap import ImapServer
from tests.stores import make_config
from tests.web import running

from tamis.config import ConfigError
from tamis.egress import manifest
from tamis.options.remarks import remarks
from tamis.wiring.remark import Status

PASSWORDS = {"anna@example.org": 'a "quoted" \\ pass', "bob@example.org": "schön & lang", "carol": "of carol"}


def configured(server: ImapServer, more: str = "") -> str:
    return (
        f'[options]\nsign_in = ["imap"]\n[options.imap]\nserver = "inet:127.0.0.1:{server.port}"\n'
        f'tls = "{server.tls}"\nca_file = "{server.certificate}"\n{more}'
    )


@pytest.mark.parametrize("tls", ["tls", "starttls", "none"])
@pytest.mark.parametrize("plain", [True, False])
def test_who_has_the_mailboxs_password_signs_in(tmp_path: Path, tls: str, plain: bool) -> None:
    with (
        ImapServer(tmp_path, PASSWORDS, tls=tls, plain=plain) as server,
        running(tmp_path, configured(server)) as web,
    ):
        wrong = web.visitor().sign_in("anna@example.org", "wrong")
        right = web.visitor().sign_in("Anna@example.org", PASSWORDS["anna@example.org"])

    assert (wrong.status, right.status) == (401, 303)
    assert server.asked == ["anna@example.org", "anna@example.org"]


def test_an_erasure_wants_the_mailboxs_password(tmp_path: Path) -> None:
    right = PASSWORDS["anna@example.org"]
    with ImapServer(tmp_path, PASSWORDS) as server, running(tmp_path, configured(server)) as web:
        visitor = web.visitor()
        visitor.sign_in("anna@example.org", right)

        wrong = visitor.change("/my-data/erasure", {"confirm": "anna@example.org"})
        server.answer = b"NO [UNAVAILABLE] database away"
        away = visitor.change("/my-data/erasure", {"confirm": right})

    assert (wrong.status, away.status) == (422, 503)
    assert "This is not the password that you sign in with." in wrong.text
    assert "Passwords cannot be checked now." in away.text


def test_passwords_are_of_any_letters(tmp_path: Path) -> None:
    with ImapServer(tmp_path, PASSWORDS) as server, running(tmp_path, configured(server)) as web:
        assert web.visitor().sign_in("bob@example.org", PASSWORDS["bob@example.org"]).status == 303


@pytest.mark.parametrize("plain", [True, False])
def test_nothing_is_slipped_into_the_conversation(tmp_path: Path, plain: bool) -> None:
    with ImapServer(tmp_path, PASSWORDS, plain=plain) as server, running(tmp_path, configured(server)) as web:
        for password in ("x\r\na1 LOGIN bob@example.org", "x\0carol\0of carol", "", "é"):
            assert web.visitor().sign_in("anna@example.org", password).status == 401
        for address in (
            "anna@example.org\r\na1 LOGIN bob",
            "anna@example.org\0carol",
            'anna" "x@example.org',
        ):
            assert web.visitor().sign_in(address, "x").status == 401

    assert set(server.asked) <= {"anna@example.org", 'anna" "x@example.org'}


def test_the_mailbox_may_be_known_by_its_local_part(tmp_path: Path) -> None:
    with (
        ImapServer(tmp_path, PASSWORDS) as server,
        running(tmp_path, configured(server, 'login = "local part"\n')) as web,
    ):
        assert web.visitor().sign_in("carol@example.org", "of carol").status == 303


@pytest.mark.parametrize("login", ["address", "local part"])
def test_the_server_is_not_asked_for_a_mailbox_elsewhere(tmp_path: Path, login: str) -> None:
    with (
        ImapServer(tmp_path, {"carol@elsewhere.example": "right", "carol": "right"}) as server,
        running(tmp_path, configured(server, f'login = "{login}"\n')) as web,
    ):
        assert web.visitor().sign_in("carol@elsewhere.example", "right").status == 401

    assert server.asked == []


def test_check_warns_where_a_login_stands_for_mailboxes_of_several_domains(tmp_path: Path) -> None:
    with ImapServer(tmp_path, PASSWORDS) as server:
        config = make_config(tmp_path, more=configured(server, 'login = "local part"\n'))
        found = [one.text for one in remarks(config) if one.status is Status.WARNING]

    assert len(found) == 1 and "can sign in as anna@ in each" in found[0]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ('listen = "inet:127.0.0.1:8892"\nproxies = ["127.0.0.1/32", "::/0"]', "::/0 is everybody"),
        ('listen = "unix:/run/options.sock"\nsocket_mode = "0666"', "options.socket_mode: any user"),
        ('listen = "unix:/run/options.sock"\nsocket_mode = "0660"', ""),
    ],
)
def test_check_warns_where_anybody_can_say_to_be_the_proxy(tmp_path: Path, more: str, expected: str) -> None:
    config = make_config(tmp_path, more=f"[options]\n{more}\n")

    found = [one.text for one in remarks(config) if one.status is Status.WARNING]

    assert len(found) == bool(expected)
    assert expected in "".join(found)


def test_a_server_that_is_away_is_told_and_is_no_wrong_password(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with ImapServer(tmp_path, PASSWORDS) as server:
        text = configured(server)
        with running(tmp_path, text) as web:
            server.answer = b"NO [UNAVAILABLE] database away"
            busy = web.visitor().sign_in("anna@example.org", "secret")
    with running(tmp_path, text) as web:
        away = web.visitor().sign_in("anna@example.org", "secret")

    assert [(page.status, "cannot be checked now" in page.text) for page in (busy, away)] == [(503, True)] * 2
    assert "imap server unavailable" in caplog.text
    assert "secret" not in caplog.text and "anna" not in caplog.text


def test_a_certificate_of_others_is_not_trusted(tmp_path: Path) -> None:
    with ImapServer(tmp_path, PASSWORDS) as server:
        text = configured(server).replace(f'ca_file = "{server.certificate}"\n', "")
        with running(tmp_path, text) as web:
            page = web.visitor().sign_in("anna@example.org", PASSWORDS["anna@example.org"])

    assert page.status == 503
    assert server.asked == []


def test_a_local_password_goes_first_where_both_are_named(tmp_path: Path) -> None:
    with ImapServer(tmp_path, PASSWORDS) as server:
        text = configured(server).replace('["imap"]', '["imap", "password"]')
        with running(tmp_path, text) as web:
            web.password("anna@example.org")
            local = web.visitor().sign_in()
            mailbox = web.visitor().sign_in("anna@example.org", PASSWORDS["anna@example.org"])

    assert (local.status, mailbox.status) == (303, 303)
    assert server.asked == ["anna@example.org"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('sign_in = ["imap"]', "options.imap.server: expected the server"),
        ('[options.imap]\nserver = "mail"', 'options.imap.server: expected "unix:/PATH" or "inet:HOST:PORT"'),
        (
            '[options.imap]\nserver = "inet:mail.example.org:143"\ntls = "none"',
            'options.imap.tls: expected "tls" or "starttls": passwords would go',
        ),
    ],
)
def test_what_would_not_do_is_refused_at_the_start(text: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        parsed(f"[options]\n{text}\n")


def test_the_server_stands_in_the_egress_manifest() -> None:
    config = parsed('[options]\nsign_in = ["imap"]\n[options.imap]\nserver = "inet:192.0.2.9:993"\n')

    assert [(one.peer, one.leaves_host) for one in manifest(config) if one.purpose == "imap"] == [
        ("inet:192.0.2.9:993", True)
    ]


def test_certificates_that_are_not_there_are_told_at_the_start(tmp_path: Path) -> None:
    with ImapServer(tmp_path, PASSWORDS) as server:
        text = configured(server)
    server.certificate.unlink()

    with pytest.raises(ConfigError, match=r"line \d+: options.imap.ca_file: .* cannot be used: No such file"):
        running(tmp_path, text).__enter__()


def test_check_tells_whether_the_server_can_be_asked(tmp_path: Path) -> None:
    with ImapServer(tmp_path, PASSWORDS) as server:
        right = parsed(configured(server))
        wrong = parsed(configured(server).replace(f'ca_file = "{server.certificate}"\n', ""))

        found = [list(remarks(one))[-1] for one in (right, wrong)]
    found.append(list(remarks(right))[-1])

    assert [one.status for one in found] == [Status.OK, Status.FAILED, Status.FAILED]
    assert found[0].text == f"inet:127.0.0.1:{server.port}: answers"
    assert "its certificate is not trusted: self" in found[1].text
    assert found[2].text == f"inet:127.0.0.1:{server.port}: Connection refused"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ('listen = "inet:0.0.0.0:8892"', ["inet:0.0.0.0:8892: passwords go there in clear"]),
        ('url = "https://mail.example.org"', ["options.proxies is empty"]),
        ('url = "https://mail.example.org"\nproxies = ["127.0.0.1"]', []),
        ('url = "https://mail.example.org"\nlisten = "unix:/run/options"', []),
        (
            'sign_in = ["link"]\n[options.link]\nkey_file = "/nowhere"',
            ["options.link.key_file: /nowhere cannot"],
        ),
    ],
)
def test_check_tells_what_is_unwise(text: str, expected: list[str]) -> None:
    first, *others = remarks(parsed(f"[options]\n{text}\n"))

    assert first.status is Status.OK
    assert len(others) == len(expected)
    assert all(one.text.startswith(start) for one, start in zip(others, expected, strict=True))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "sign-in by password"),
        ('sign_in = ["password", "header"]', "sign-in by password, header Remote-User"),
        (
            '[options.header]\noperator = "Remote-Operator"',
            "sign-in by password; of operators by password, header Remote-Operator",
        ),
    ],
)
def test_check_tells_whose_word_is_taken_for_who_somebody_is(text: str, expected: str) -> None:
    first, *_ = remarks(parsed(f'[options]\nlisten = "unix:/run/options.sock"\n{text}\n'))

    assert first.text == f"unix:/run/options.sock, {expected}"
