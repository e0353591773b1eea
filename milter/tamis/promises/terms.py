"""The terms of a configuration: what it promises to users, in a form that can be kept and compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict

from tamis import preferences
from tamis.config import Config
from tamis.egress import manifest
from tamis.preferences import KEYS, LISTS, Treatment, Value
from tamis.retention.classes import RecordClass
from tamis.retention.rules import Rules

FINGERPRINT = 32  # hexadecimal digits, 128 bits


class Part(BaseModel):
    """A part of the terms. What a newer Tamis has added to it is passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Setting(Part):
    """What is in force for users who set nothing, and whether they may change it."""

    default: str | float
    domains: Mapping[str, str | float] = {}  # where it is another
    free: bool = True

    def at(self, domain: str) -> str | float:
        """Return the default for the users of a domain, "" for the site's."""
        return self.domains.get(domain, self.default)

    @property
    def ever(self) -> bool:
        """Whether a switch may be on for anybody."""
        return self.free or "on" in (self.default, *self.domains.values())


class Bounds(Part):
    """Floor and ceiling by one clock, as they are written in the configuration; "" for none."""

    floor: str = ""
    ceiling: str = ""


class Peer(Part):
    """Something that the filter opens connections to."""

    purpose: str
    peer: str
    carries: str
    leaves_host: bool


class Outgoing(Part):
    """The operator's checks."""

    antivirus: bool
    antispam: bool
    graymail: bool
    spam_refuse: float


class Terms(Part):
    """What a configuration promises."""

    mode: str
    domains: tuple[str, ...]
    settings: Mapping[str, Setting]  # by their names in `tamis account set`, but for the lists of senders
    lists_free: bool
    site_lists: tuple[str, ...]  # lists of senders to which the operator has added some
    on_error: Mapping[str, str]  # by filter
    on_unscannable: str
    heuristics: str
    mixed: str
    refuse: float  # bits; 0 for never
    outgoing: Outgoing
    copies: bool  # whether recipients who chose differently get copies of their own
    fields: tuple[str, ...]  # that tickets hold beside the rest
    pseudonymise: str  # a period, "" for never
    retention: Mapping[str, Mapping[str, Bounds]]  # of the classes of records that are made, by clock
    notice: str
    sign_ins: bool  # whether those of SMTP AUTH are recorded
    notices: bool  # whether users are told of what others do to their accounts
    counts: bool  # whether counts are written to a file
    egress: tuple[Peer, ...]
    jurisdictions: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """The same for the same terms, in whatever order the configuration gives them."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:FINGERPRINT]

    @classmethod
    def of(cls, config: Config) -> Self:
        """Return the terms of a configuration."""
        return cls(
            mode=config.milter.mode,
            domains=tuple(sorted(config.mail.domains)),
            settings=dict(_settings(config)),
            lists_free="senders" in config.users.may_change,
            site_lists=tuple(key for key in LISTS if any(level.get(key) for level in _levels(config))),
            on_error={
                "antivirus": config.antivirus.on_error,
                "antispam": config.antispam.on_error,
                "graymail": config.graymail.on_error,
            },
            on_unscannable=config.antivirus.on_unscannable,
            heuristics=config.antivirus.heuristics,
            mixed=config.antivirus.mixed,
            refuse=config.antispam.refuse,
            outgoing=Outgoing.model_validate(config.outgoing.model_dump()),
            copies=bool(config.resend.relay),
            fields=config.tickets.fields,
            pseudonymise=str(config.tickets.period or ""),
            retention=dict(_retention(config)),
            notice=str(config.rules.notice),
            sign_ins=config.sessions.smtp,
            notices=bool(config.notices.sendmail or config.notices.smtp),
            counts=bool(config.metrics.file),
            egress=tuple(Peer.model_validate(one.as_json()) for one in manifest(config)),
            jurisdictions=tuple(sorted(set(config.legal.jurisdictions))),
        )


class Saved(Part):
    """What `tamis policy --json` printed."""

    terms: Terms


def _levels(config: Config) -> Iterator[Mapping[str, Value]]:
    yield config.site_settings()
    yield from config.users.domains.values()


def _settings(config: Config) -> Iterator[tuple[str, Setting]]:
    """Return each setting as it is in force; what has no folder to go to is marked instead of filed."""
    site = preferences.effective([config.site_settings()])
    own = {
        domain: preferences.effective([level, config.site_settings()])
        for domain, level in config.users.domains.items()
        if domain in config.mail.domains
    }
    locked = preferences.locked(config.users.may_change)
    for key in KEYS:
        if key in LISTS:
            continue
        default = _in_force(site[key], config)
        others = {domain: _in_force(found[key], config) for domain, found in sorted(own.items())}
        domains = {domain: value for domain, value in others.items() if value != default}
        yield key, Setting(default=default, domains=domains, free=key not in locked)


def _in_force(value: object, config: Config) -> str | float:
    if value == Treatment.FILE and not config.mail.recipient_delimiter:
        return Treatment.MARK.value
    return value if isinstance(value, float) else str(value)


def _retention(config: Config) -> Iterator[tuple[str, Mapping[str, Bounds]]]:
    for kind in made(config):
        yield kind.value, limits(config.rules, kind)


def limits(rules: Rules, kind: RecordClass) -> Mapping[str, Bounds]:
    """Return how long records of a class are kept, by clock."""
    return {
        limit.clock.value: Bounds(floor=str(limit.floor or ""), ceiling=str(limit.ceiling or ""))
        for limit in rules.limits[kind]
    }


def made(config: Config) -> Iterator[RecordClass]:
    """Return the classes of which a configuration makes records."""
    yield RecordClass.ACCOUNT
    yield RecordClass.TICKET
    yield RecordClass.SESSION  # of the web page, which may be run on any configuration
    yield from (RecordClass.SETTING_CHANGE, RecordClass.CONSENT, RecordClass.LOG, RecordClass.LEGAL_ACT)
    if config.resend.relay:
        yield RecordClass.COPY_GUARD
