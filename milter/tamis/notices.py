"""[notices]: how users are told what others did to their accounts."""

from __future__ import annotations

import re
import shlex
from typing import Literal

from pydantic import field_validator, model_validator

from tamis import address, refusal
from tamis.section import Section

SENDER = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+")


class Notices(Section):
    """The table; without a command or an MTA users are not told."""

    sendmail: str = ""
    smtp: str = ""
    sender: str = ""
    language: Literal["en", "fr"] = "en"

    @field_validator("sendmail")
    @classmethod
    def _command(cls, value: str) -> str:
        try:
            words = shlex.split(value)
        except ValueError:  # a quotation that does not end
            words = []
        if value and not (words and words[0].startswith("/") and value.isprintable()):
            raise ValueError(f'expected a command such as "/usr/sbin/sendmail", got "{value}"')
        return value

    @field_validator("smtp")
    @classmethod
    def _server(cls, value: str) -> str:
        if value and not isinstance(address.parse(value), address.InetAddress):
            raise ValueError(f'expected "inet:HOST:PORT", got "{value}"')
        return value

    @field_validator("sender")
    @classmethod
    def _sender(cls, value: str) -> str:
        if value and not SENDER.fullmatch(value):
            raise ValueError(f'expected an address such as postmaster@example.org, got "{value}"')
        return value

    @model_validator(mode="after")
    def _one_way(self) -> Notices:
        if self.sendmail and self.smtp:
            raise refusal.SettingError("smtp", "expected either sendmail or smtp, not both")
        if self.is_on and not self.sender:
            raise refusal.SettingError("sender", "expected an address: notices are sent from it")
        return self

    @property
    def is_on(self) -> bool:
        """Whether there is a way to tell users."""
        return bool(self.sendmail or self.smtp)
