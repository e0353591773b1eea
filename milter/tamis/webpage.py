"""[options]: the web page of users, and how they sign in to it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from tamis import address, refusal
from tamis.section import Address, Network, Seconds, Section
from tamis.words.catalogue import languages
from tamis.words.times import zone

ORIGIN = re.compile(r"https://[A-Za-z0-9.*-]+(:\d{1,5})?")
FIELD = re.compile(r"[A-Za-z0-9-]{1,64}")
OTHERS = {"authorization", "cookie", "host", "content-type", "content-length", "x-forwarded-for"}
Way: TypeAlias = Literal["password", "imap", "header", "link"]
CONTACT = re.compile(r"https://[!-~]+|[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+")
PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")


class Imap(Section):
    """[options.imap]: the server that knows users' passwords; "" for none."""

    server: str = ""
    tls: Literal["tls", "starttls", "none"] = "tls"
    ca_file: str = ""
    login: Literal["address", "local part"] = "address"
    timeout: Seconds = 20.0

    @field_validator("server")
    @classmethod
    def _server(cls, value: str) -> str:
        if value and not isinstance(address.parse(value), address.InetAddress):
            raise ValueError(f'expected "inet:HOST:PORT", got "{value}"')
        return value

    @model_validator(mode="after")
    def _no_password_in_clear(self) -> Imap:
        where = address.parse(self.server) if self.server else None
        if self.tls == "none" and isinstance(where, address.InetAddress) and not where.is_loopback:
            raise refusal.SettingError(
                "tls", f'expected "tls" or "starttls": passwords would go to {where} in clear'
            )
        return self


class Header(Section):
    """[options.header]: the fields in which a reverse proxy names who has signed in to it; "" for none."""

    name: str = "Remote-User"
    operator: str = ""

    @field_validator("operator")
    @classmethod
    def _operator(cls, value: str) -> str:
        return value and cls._field(value)

    @field_validator("name")
    @classmethod
    def _field(cls, value: str) -> str:
        if not FIELD.fullmatch(value) or value.lower() in OTHERS:
            raise ValueError(f'expected the name of a header field such as "Remote-User", got "{value}"')
        return value


class Link(Section):
    """[options.link]: links by which a webmail, say, signs its users in."""

    key_file: str = ""
    lifetime: Annotated[Seconds, Field(le=600)] = 60.0


class Options(Section):
    """The table."""

    listen: Address = "inet:127.0.0.1:8892"
    socket_mode: str = Field(default="0660", pattern="^0?[0-7]{3}$")
    socket_group: str = ""
    url: str = ""
    proxies: tuple[Network, ...] = Field(default=(), strict=False)
    sign_in: tuple[Way, ...] = Field(default=("password",), strict=False, min_length=1)
    session: Seconds = 43_200.0
    idle: Seconds = 3_600.0
    language: str = "en"
    time_zone: str = "UTC"
    contact: str = ""
    frame_ancestors: tuple[str, ...] = Field(default=(), strict=False)
    metrics: str = ""
    imap: Imap = Imap()
    header: Header = Header()
    link: Link = Link()

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        if not value:
            return value
        parts = urlsplit(value)
        path = parts.path.rstrip("/")
        ours = parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname))
        if not (ours and parts.hostname and PATH.fullmatch(path) and not parts.query and not parts.fragment):
            raise ValueError(f'expected "https://HOST/PATH" (http only on loopback), got "{value}"')
        return f"{parts.scheme}://{parts.netloc}{path}"

    @field_validator("language")
    @classmethod
    def _language(cls, value: str) -> str:
        if value not in languages():
            expected = " or ".join(f'"{one}"' for one in languages())
            raise ValueError(f'expected {expected}, got "{value}"')
        return value

    @field_validator("metrics")
    @classmethod
    def _metrics(cls, value: str) -> str:
        return value and str(address.parse(value))

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        zone(value)
        return value

    @field_validator("contact")
    @classmethod
    def _contact(cls, value: str) -> str:
        if value and not CONTACT.fullmatch(value):
            raise ValueError(f'expected "ADDRESS@DOMAIN" or "https://HOST/PATH", got "{value}"')
        return value

    @field_validator("frame_ancestors")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            if not ORIGIN.fullmatch(one):
                raise ValueError(f'expected origins such as "https://webmail.example.org", got "{one}"')
        return value

    @model_validator(mode="after")
    def _complete(self) -> Options:
        if "imap" in self.sign_in and not self.imap.server:
            raise refusal.SettingError("imap.server", "expected the server that options.sign_in asks")
        if "link" in self.sign_in and not self.link.key_file:
            raise refusal.SettingError("link.key_file", "expected the file with the key of links")
        if self.metrics == str(address.parse(self.listen)):
            raise refusal.SettingError("metrics", "expected another socket than that of options.listen")
        if "header" in self.sign_in and self.header.name.lower() == self.header.operator.lower():
            raise refusal.SettingError("header.operator", "expected another field than that of users")
        names_somebody = "header" in self.sign_in or self.header.operator
        if names_somebody and not self.proxies and self._is_inet:
            raise refusal.SettingError(
                "proxies", "expected networks of the reverse proxies that are believed"
            )
        return self

    @property
    def prefix(self) -> str:
        """The path that all of the page's paths begin with, without a slash at its end."""
        return urlsplit(self.url).path

    @property
    def watched(self) -> Sequence[str]:
        """Where Prometheus is told, if anywhere."""
        return (self.metrics,) if self.metrics else ()

    @property
    def is_secure(self) -> bool:
        """Whether browsers come by https, so that cookies may be bound to it."""
        if self.url:
            return self.url.startswith("https:")
        where = address.parse(self.listen)
        return not (isinstance(where, address.InetAddress) and where.is_loopback)

    @property
    def _is_inet(self) -> bool:
        return isinstance(address.parse(self.listen), address.InetAddress)


def _is_loopback(host: str | None) -> bool:
    return host is not None and address.InetAddress(host, 0).is_loopback
