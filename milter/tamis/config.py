"""The configuration: one TOML file, strict; the defaults stand here and in conf/tamis.toml."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from tamis import address, preferences, refusal, units
from tamis.notices import Notices
from tamis.retention.conflicts import clashes
from tamis.retention.period import Period
from tamis.retention.rules import Rules
from tamis.retention.section import Retention, Tickets
from tamis.section import Address, Domain, Network, Octets, Seconds, Section, unit
from tamis.webpage import Options

DEFAULT_PATH = "/etc/tamis/tamis.toml"
ENVIRONMENT = "TAMIS_CONFIG"
JURISDICTION = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")  # ISO 3166-1 alpha-2, or ISO 3166-2
DETAIL = re.compile(r"[A-Za-z0-9._-]{1,32}")


class ConfigError(Exception):
    """The configuration cannot be used; each line of the text names file, line, key and what is expected."""


Bits = Annotated[float, Field(allow_inf_nan=False)]
# Scores are rounded to 0.1 and then compared, so thresholds are, too: what is shown is what was compared.
Threshold = Annotated[Bits, AfterValidator(lambda bits: round(bits, 1) + 0.0)]
OnError = Literal["tempfail", "pass"]
Lock = Literal["antivirus", "antispam", "graymail", "actions", "senders", "learning"]


class Milter(Section):
    """[milter]: socket and processes."""

    listen: Address = "inet:127.0.0.1:8891"
    front: Literal["stream", "libmilter"] = "stream"
    socket_mode: str = Field(default="0660", pattern="^0?[0-7]{3}$")
    socket_group: str = ""
    workers: int = Field(default=0, ge=0, le=1024)
    mode: Literal["enforce", "shadow"] = "enforce"
    deadline: Seconds = 60.0
    max_message: Octets = 50 * 10**6
    max_in_memory: Annotated[int, unit(units.size), Field(ge=0)] = 0
    max_in_flight: int = Field(default=200, ge=1, le=10000)
    drain: Seconds = 60.0
    recycle_messages: int = Field(default=100_000, ge=0)
    recycle_memory: Annotated[Octets, Field(ge=256 * 10**6)] = 10**9
    defer_mixed: bool = False

    @field_validator("max_in_memory")
    @classmethod
    def _holds_two(cls, value: int, info: ValidationInfo) -> int:
        largest = info.data.get("max_message", 0)
        if 0 < value < 2 * largest:
            raise ValueError(f"expected at least twice max_message ({2 * largest}), or 0, got {value}")
        return value

    @property
    def defers(self) -> bool:
        """Whether recipients are deferred; in mode shadow nobody is."""
        return self.defer_mixed and self.mode == "enforce"

    @property
    def memory(self) -> int:
        """Octets of messages in one worker."""
        return self.max_in_memory or 4 * self.max_message


class Mail(Section):
    """[mail]: which mail is ours."""

    domains: tuple[Domain, ...] = Field(default=(), strict=False)
    internal_networks: tuple[Network, ...] = Field(
        default=(ip_network("127.0.0.0/8"), ip_network("::1/128")), strict=False
    )
    outgoing_daemons: tuple[str, ...] = Field(default=("ORIGINATING",), strict=False)
    recipient_delimiter: str = Field(default="+", max_length=1)
    authserv_id: str = ""
    trusted_authserv_ids: tuple[str, ...] = Field(default=(), strict=False)


class Store(Section):
    """[store]: settings, accounts and tickets."""

    url: str = "sqlite:////var/lib/tamis/tamis.db"
    timeout: Seconds = 10.0

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        expected = 'expected "sqlite:////PATH" or "postgresql+psycopg://..."'  # what was given has a password
        try:
            url = make_url(value)
            backend = url.get_backend_name()
            if (backend == "sqlite" and url.database) or (
                backend == "postgresql" and address.of_database(value)
            ):
                return value
        except (ArgumentError, ValueError):
            pass
        raise ValueError(expected)


class Headers(Section):
    """[headers]: fields that Tamis adds."""

    on_clean: bool = False


class Filing(Section):
    """[filing]: the detail that each kind of mail is filed under."""

    spam: str = "junk"
    newsletter: str = "newsletters"
    social: str = "social"
    list: str = "lists"

    @field_validator("*")
    @classmethod
    def _detail(cls, value: str) -> str:
        if not DETAIL.fullmatch(value):
            raise ValueError(f'expected 1 to 32 letters, digits, ".", "_" or "-", got "{value}"')
        return value


class Antivirus(Section):
    """[antivirus]: clamd, and what becomes of what it finds."""

    clamd: tuple[Address, ...] = Field(default=("unix:/run/clamav/clamd.ctl",), strict=False, min_length=1)
    timeout: Seconds = 30.0
    on_error: OnError = "tempfail"
    on_unscannable: Literal["pass", "refuse", "mark"] = "pass"
    heuristics: Literal["mark", "refuse", "pass"] = "mark"
    mixed: Literal["discard", "mark"] = "discard"

    @field_validator("clamd", mode="before")
    @classmethod
    def _one_or_more(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value


class Antispam(Section):
    """[antispam]: thresholds in bits."""

    mark: Annotated[Threshold, Field(ge=-preferences.MAX_THRESHOLD, le=preferences.MAX_THRESHOLD)] = 5.0
    refuse: Annotated[Threshold, Field(ge=0)] = 0.0
    on_error: OnError = "pass"
    weights: Mapping[str, Bits] = {}


class Graymail(Section):
    """[graymail]."""

    on_error: OnError = "pass"


class Outgoing(Section):
    """[outgoing]: the operator's checks."""

    antivirus: bool = True
    antispam: bool = True
    graymail: bool = True
    spam_refuse: Annotated[Threshold, Field(gt=0)] = 15.0


class Metrics(Section):
    """[metrics]: the file for Prometheus; "" for none."""

    file: str = ""
    interval: Annotated[Seconds, Field(ge=1)] = 15.0

    @field_validator("file")
    @classmethod
    def _collected(cls, value: str) -> str:
        if value and not (value.startswith("/") and value.endswith(".prom") and value.isprintable()):
            raise ValueError(f'expected "/PATH/NAME.prom", got "{value}"')
        return value


def _settings(value: object) -> object:
    if not isinstance(value, Mapping):
        raise ValueError("expected a table of settings")
    found = {}
    for key, given in _flat(value):
        try:
            found[key] = preferences.parse(key, given)
        except ValueError as error:
            raise refusal.SettingError(key, str(error)) from error
    return found


def _flat(table: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Return dotted keys and values: antispam.mark = 4 is a table in TOML, "antispam.mark" = 4 is not."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


Settings = Annotated[Mapping[str, preferences.Value], BeforeValidator(_settings)]


class Users(Section):
    """[users]: defaults, and what users may change."""

    may_change: frozenset[Lock] = Field(
        default=frozenset({"antivirus", "antispam", "graymail", "actions", "senders", "learning"}),
        strict=False,
    )
    defaults: Settings = Field(default={})
    domains: Mapping[Domain, Settings] = {}


class Accounts(Section):
    """[accounts]: where accounts and aliases are looked up, in order."""

    sources: tuple[str, ...] = Field(default=("table",), strict=False, min_length=1)

    @field_validator("sources")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for source in value:
            if source != "table" and not re.match(r"(file:/|sql:\s*(?i:select)\s)", source):
                raise ValueError(f'expected "table", "file:/PATH" or "sql:SELECT ...", got "{source}"')
        return value


class Resend(Section):
    """[resend]: the MTA's listener for copies; "" for none."""

    relay: str = ""
    remember: Annotated[Seconds, Field(ge=60)] = 3600.0

    @field_validator("relay")
    @classmethod
    def _relay(cls, value: str) -> str:
        return value and str(address.parse(value))


class Legal(Section):
    """[legal]: whose orders are carried out."""

    jurisdictions: tuple[str, ...] = Field(default=(), strict=False)

    @field_validator("jurisdictions")
    @classmethod
    def _codes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for code in value:
            if not JURISDICTION.fullmatch(code):
                raise ValueError(f'expected codes of ISO 3166 such as "FR" or "US-CA", got "{code}"')
        return value


class Sessions(Section):
    """[sessions]: which sign-ins are recorded."""

    smtp: bool = False


class Config(Section):
    """The whole file."""

    milter: Milter = Milter()
    mail: Mail = Mail()
    store: Store = Store()
    headers: Headers = Headers()
    filing: Filing = Filing()
    antivirus: Antivirus = Antivirus()
    antispam: Antispam = Antispam()
    graymail: Graymail = Graymail()
    outgoing: Outgoing = Outgoing()
    users: Users = Users()
    accounts: Accounts = Accounts()
    resend: Resend = Resend()
    legal: Legal = Legal()
    sessions: Sessions = Sessions()
    notices: Notices = Notices()
    options: Options = Options()
    metrics: Metrics = Metrics()
    retention: Retention = Retention()
    tickets: Tickets = Tickets()
    _text: str = ""  # that it was read from
    _name: str = "configuration"

    def refused(self, key: tuple[str, ...], reason: str) -> ConfigError:
        """Return the error for a key that only the part which it is meant for can tell to be wrong."""
        where = refusal.place(key, self._text, self._name)
        return ConfigError(f"{where}: {refusal.one_line('.'.join(key))}: {refusal.one_line(reason)}")

    @property
    def rules(self) -> Rules:
        """How long records are kept."""
        remember = Period(milliseconds=round(self.resend.remember * 1000))
        return self.retention.rules(remember=remember, pseudonymise=self.tickets.period)

    def site_settings(self) -> Mapping[str, preferences.Value]:
        """Return the site's level of settings: [users.defaults] above [antispam] mark."""
        return {"antispam.mark": self.antispam.mark, **self.users.defaults}


def find(path: str | None) -> Path:
    """Return the file to read: the given one, $TAMIS_CONFIG, or /etc/tamis/tamis.toml."""
    return Path(path or os.environ.get(ENVIRONMENT) or DEFAULT_PATH)


def load(path: str | None) -> Config:
    """Return the checked configuration; raise ConfigError."""
    file = find(path)
    return parse(read(file), str(file))


def read(file: Path) -> str:
    """Return the text of a configuration file; raise ConfigError."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from error


def parse(text: str, name: str) -> Config:
    """Return the checked configuration in a TOML text; name stands in errors. Raise ConfigError."""
    try:
        return _parse(text, name)
    except RecursionError as error:  # the parser's, or ours where a dotted key makes hundreds of tables
        raise ConfigError(f"{name}: not TOML that can be used: nested too deeply") from error


def _parse(text: str, name: str) -> Config:
    try:
        tables = tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError is one; numbers of thousands of digits raise another
        raise ConfigError(f"{name}: not TOML: {refusal.one_line(str(error))}") from error
    try:
        config = Config.model_validate(tables)
    except ValidationError as error:
        raise ConfigError(refusal.explain(error, text, name, model=Config)) from error
    config._text, config._name = text, name
    if not config.mail.domains:
        raise config.refused(("mail", "domains"), 'expected at least one domain, such as ["example.org"]')
    if refusals := [config.refused(clash.key, clash.reason) for clash in clashes(config.rules)]:
        raise ConfigError("\n".join(map(str, refusals)))
    return config
