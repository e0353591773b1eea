"""Hands mails to the MTA: by a command such as sendmail(8), or by SMTP (RFC 5321)."""

from __future__ import annotations

import email.policy
import shlex
import smtplib
import subprocess
from email.message import EmailMessage

from tamis import address
from tamis.notices import Notices

PATIENCE = 30.0  # seconds for one mail, or one answer
SMTP = email.policy.SMTP


class NotSent(Exception):
    """The MTA has not taken a mail; its text names nobody."""


class Unavailable(NotSent):
    """The MTA takes no mail at all for now."""


def send(settings: Notices, mail: EmailMessage, to: str) -> None:
    """Return once the MTA has taken a mail; raise NotSent."""
    if settings.sendmail:
        _by_command(settings, mail, to)
    else:
        _by_smtp(settings, mail, to)


def _by_command(settings: Notices, mail: EmailMessage, to: str) -> None:
    command = [*shlex.split(settings.sendmail), "-i", "-f", settings.sender, "--", to]
    content = mail.as_bytes(policy=SMTP.clone(linesep="\n"))
    try:
        done = subprocess.run(  # noqa: S603  # the operator's own command
            command, input=content, capture_output=True, timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{command[0]}: {type(error).__name__}") from None
    if done.returncode:
        raise NotSent(f"{command[0]}: exit status {done.returncode}")


def _by_smtp(settings: Notices, mail: EmailMessage, to: str) -> None:
    where = address.parse(settings.smtp)
    assert isinstance(where, address.InetAddress)  # noqa: S101  # the configuration takes no other
    try:
        with smtplib.SMTP(where.host, where.port, timeout=PATIENCE) as server:
            server.sendmail(settings.sender, [to], mail.as_bytes(policy=SMTP))
    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError, smtplib.SMTPSenderRefused) as error:
        raise NotSent(f"{settings.smtp}: {type(error).__name__}") from None
    except (OSError, smtplib.SMTPException) as error:
        raise Unavailable(f"{settings.smtp}: {type(error).__name__}") from None
