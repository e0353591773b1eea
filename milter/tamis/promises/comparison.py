"""What a change of the terms weakens of what users were promised, and what it strengthens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tamis.preferences import Treatment
from tamis.promises.terms import Bounds, Peer, Setting, Terms
from tamis.retention import period
from tamis.retention.classes import KINDS, Clock, RecordClass

# What is stronger has the higher number; what has none is neither.
TREATMENTS = {Treatment.NONE.value: 0, Treatment.MARK.value: 1, Treatment.FILE.value: 1}
ERRORS = {"pass": 0, "tempfail": 1}
FOUND = {"pass": 0, "mark": 1, "refuse": 2}
MIXED = {"mark": 0, "discard": 1}
MODES = {"shadow": 0, "enforce": 1}
FILTER = {"off": 0, "on": 1}
LEARNING = {"on": 0, "off": 1}
NAMELESS = (RecordClass.COPY_GUARD,)  # nobody can be told from it
AFTER = {Clock.AGE: "", Clock.CLOSING: " after closing", Clock.SIGN_IN: " without sign-in"}


class Effect(StrEnum):
    """What a change does to what was promised."""

    WEAKENS = "weakens"
    STRENGTHENS = "strengthens"
    CHANGES = "changes"  # neither


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is promised no more as it was."""

    effect: Effect
    key: str  # of the configuration
    text: str

    def as_json(self) -> dict[str, object]:
        """Return the object that `tamis policy diff --json` prints."""
        return {"effect": self.effect.value, "key": self.key, "text": self.text}


def compare(old: Terms, new: Terms) -> Sequence[Change]:
    """Return what has changed, what is weakened first."""
    found = [
        *_ladder("milter.mode", MODES, old.mode, new.mode),
        *_domains(old, new),
        *_settings(old, new),
        *_errors(old, new),
        *_refusals(old, new),
        *_outgoing(old, new),
        *_fields(old, new),
        *_retention(old, new),
        *_egress(old.egress, new.egress),
        *_several(
            "legal.jurisdictions", "disclosure to authorities of", old.jurisdictions, new.jurisdictions
        ),
        *_several("sessions.smtp", "records", _sign_ins(old), _sign_ins(new)),
        *_switch(
            "resend.relay", "a copy of one's own where recipients chose differently", old.copies, new.copies
        ),
        *_switch("notices", "mail to users on what others do to their accounts", old.notices, new.notices),
        *_neutral("metrics.file", "counts in a file", old.counts, new.counts),
    ]
    order = list(Effect)
    return sorted(found, key=lambda change: order.index(change.effect))


def _ladder(key: str, strength: Mapping[str, int], old: str | float, new: str | float) -> Iterator[Change]:
    """Return that one value has become another."""
    if old == new:
        return
    before, after = strength.get(str(old), 0), strength.get(str(new), 0)
    effect = Effect.WEAKENS if after < before else Effect.STRENGTHENS if after > before else Effect.CHANGES
    yield Change(effect, key, f"{old} becomes {new}")


def _switch(key: str, what: str, old: bool, new: bool) -> Iterator[Change]:
    """Return that something good for users is there no more, or now."""
    if old != new:
        yield Change(
            Effect.STRENGTHENS if new else Effect.WEAKENS, key, f"{'now' if new else 'no longer'} {what}"
        )


def _neutral(key: str, what: str, old: bool, new: bool) -> Iterator[Change]:
    if old != new:
        yield Change(Effect.CHANGES, key, f"{'now' if new else 'no longer'} {what}")


def _several(key: str, what: str, old: Sequence[str], new: Sequence[str]) -> Iterator[Change]:
    """Return what was added to a list of what is better kept short, and what was taken from it."""
    for one in new:
        if one not in old:
            yield Change(Effect.WEAKENS, key, f"now {what} {one}")
    for one in old:
        if one not in new:
            yield Change(Effect.STRENGTHENS, key, f"no longer {what} {one}")


def _sign_ins(terms: Terms) -> Sequence[str]:
    return ("sign-ins for sending mail",) if terms.sign_ins else ()


def _domains(old: Terms, new: Terms) -> Iterator[Change]:
    for domain in old.domains:
        if domain not in new.domains:
            yield Change(Effect.WEAKENS, "mail.domains", f"no longer filters mail for users of {domain}")
    for domain in new.domains:
        if domain not in old.domains:
            yield Change(Effect.STRENGTHENS, "mail.domains", f"now filters mail for users of {domain}")


def _settings(old: Terms, new: Terms) -> Iterator[Change]:
    both = [domain for domain in new.domains if domain in old.domains]
    for name, setting in new.settings.items():
        before = old.settings.get(name)
        if before:
            yield from _defaults(name, before, setting, both)
            yield from _switch(f"users.may_change: {name}", "the user's choice", before.free, setting.free)
    what = "the user's choice"
    yield from _switch("users.may_change: senders", what, old.lists_free, new.lists_free)
    for name in sorted({*old.site_lists, *new.site_lists}):
        what = "a list of the operator's"
        yield from _neutral(f"users.defaults: {name}", what, name in old.site_lists, name in new.site_lists)


def _defaults(name: str, old: Setting, new: Setting, domains: Sequence[str]) -> Iterator[Change]:
    """Return what is another default for the site, and for domains where that does not say it already."""
    match name:
        case "antivirus" | "antispam" | "graymail":
            strength: Mapping[str, int] = FILTER
        case "learning":
            strength = LEARNING
        case _:
            strength = TREATMENTS  # or a threshold, which has none
    yield from _ladder(f"users.defaults: {name}", strength, old.default, new.default)
    for domain in domains:
        if (old.at(domain), new.at(domain)) != (old.default, new.default):
            yield from _ladder(f"users.domains: {domain}: {name}", strength, old.at(domain), new.at(domain))


def _errors(old: Terms, new: Terms) -> Iterator[Change]:
    for name, error in new.on_error.items():
        yield from _ladder(f"{name}.on_error", ERRORS, old.on_error.get(name, error), error)
    yield from _ladder("antivirus.on_unscannable", FOUND, old.on_unscannable, new.on_unscannable)
    yield from _ladder("antivirus.heuristics", FOUND, old.heuristics, new.heuristics)
    yield from _ladder("antivirus.mixed", MIXED, old.mixed, new.mixed)


def _refusals(old: Terms, new: Terms) -> Iterator[Change]:
    """Return what has become of refusing incoming spam, which users cannot choose: the less the better."""
    if old.refuse == new.refuse:
        return
    less = not new.refuse or (old.refuse and new.refuse > old.refuse)
    effect = Effect.STRENGTHENS if less else Effect.WEAKENS
    said = f"refused from {new.refuse:.1f} bits on" if new.refuse else "never refused"
    yield Change(effect, "antispam.refuse", f"incoming spam is {said}")


def _outgoing(old: Terms, new: Terms) -> Iterator[Change]:
    for name in ("antivirus", "antispam", "graymail"):
        what = f"{name} for outgoing mail"
        yield from _switch(f"outgoing.{name}", what, getattr(old.outgoing, name), getattr(new.outgoing, name))
    before, after = old.outgoing.spam_refuse, new.outgoing.spam_refuse
    yield from _ladder("outgoing.spam_refuse", {}, before, after)


def _fields(old: Terms, new: Terms) -> Iterator[Change]:
    yield from _several("tickets.fields", "keeps in tickets:", old.fields, new.fields)
    if old.pseudonymise != new.pseudonymise:
        effect = _ceiling(old.pseudonymise, new.pseudonymise)
        said = f"after {new.pseudonymise}" if new.pseudonymise else "no longer"
        yield Change(effect, "tickets.pseudonymise_after", f"addresses in tickets are replaced {said}")


def _ceiling(old: str, new: str) -> Effect:
    """Return the effect of another end; where none is the later, as of 30 days and a month, the worse."""
    if not old:
        return Effect.STRENGTHENS
    if not new or period.parse(new).may_exceed(period.parse(old)):
        return Effect.WEAKENS
    return Effect.STRENGTHENS


def _retention(old: Terms, new: Terms) -> Iterator[Change]:
    for kind in RecordClass:
        before, after = old.retention.get(kind.value), new.retention.get(kind.value)
        key = f"retention.{kind}"
        if before is None and after is not None:
            effect = Effect.CHANGES if kind in NAMELESS else Effect.WEAKENS
            yield Change(effect, key, f"now keeps records: {KINDS[kind].name.english}")
        elif before is not None and after is None:
            name = KINDS[kind].name.english
            yield Change(Effect.STRENGTHENS, key, f"no longer keeps records: {name}")
        elif before is not None and after is not None:
            for clock in Clock:
                was, is_ = before.get(clock.value, Bounds()), after.get(clock.value, Bounds())
                yield from _bounds(f"{key}.{clock}", clock, was, is_)
    if old.notice != new.notice:
        shorter = period.parse(old.notice).may_exceed(period.parse(new.notice))
        effect = Effect.WEAKENS if shorter else Effect.STRENGTHENS
        yield Change(effect, "retention.notice", f"who does not sign in is told {new.notice} before")


def _bounds(key: str, clock: Clock, old: Bounds, new: Bounds) -> Iterator[Change]:
    """Return what is kept for longer, and which floor is another.

    A lower floor takes from what was said to be kept, a higher one from what erasure was said to reach.
    """
    if old.ceiling != new.ceiling:
        said = f"up to {new.ceiling}{AFTER[clock]}" if new.ceiling else f"no limit{AFTER[clock]}"
        was = f"up to {old.ceiling}" if old.ceiling else "no limit"
        yield Change(_ceiling(old.ceiling, new.ceiling), f"{key}.ceiling", f"{was} becomes {said}")
    if old.floor != new.floor:
        said = f"at least {new.floor}{AFTER[clock]}" if new.floor else f"no least time{AFTER[clock]}"
        was = f"at least {old.floor}" if old.floor else "no least time"
        higher = not old.floor or (new.floor and period.parse(new.floor).may_exceed(period.parse(old.floor)))
        why = "erasure waits for it" if higher else "they may be gone sooner"
        yield Change(Effect.WEAKENS, f"{key}.floor", f"{was} becomes {said}: {why}")


def _egress(old: Sequence[Peer], new: Sequence[Peer]) -> Iterator[Change]:
    before, after = ({(one.peer, one.purpose, one.carries): one for one in peers} for peers in (old, new))
    for name, one in after.items():
        if name not in before:
            effect = Effect.WEAKENS if one.leaves_host else Effect.CHANGES
            yield Change(effect, "egress", f"now {_connection(one)}")
    for name, one in before.items():
        if name not in after:
            effect = Effect.STRENGTHENS if one.leaves_host else Effect.CHANGES
            yield Change(effect, "egress", f"no longer {_connection(one)}")


def _connection(one: Peer) -> str:
    where = "leaves the host" if one.leaves_host else "stays on the host"
    return f"{one.purpose} to {one.peer} ({where}): {one.carries}"
