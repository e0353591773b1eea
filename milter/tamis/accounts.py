"""From an address to the accounts behind it: domain aliases, aliases, groups, details and catch-alls."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from tamis.config import Config
from tamis.interfaces import Source
from tamis.preferences import NO_FILTER, RESTRICTED, Member, Preferences, Resolution, Value, locked, merge

log = logging.getLogger(__name__)

DEPTH = 10  # aliases of aliases
ADDRESS = re.compile(r'[^\s@,;<>"()]+@[^\s@,;<>"()]+')
LONGEST = 254  # octets of an address (RFC 5321 section 4.5.3.1.3, less the angle brackets)


def plain(typed: str) -> str | None:
    """Return an address in lower case as somebody types it, None for what is none."""
    found = typed.strip().lower()
    is_one = (
        ADDRESS.fullmatch(found) and found.isprintable() and len(found.encode(errors="replace")) <= LONGEST
    )
    return found if is_one else None


def without_detail(address: str, delimiter: str) -> str:
    """Return an address without its detail, which a delimiter begins; "" for no details."""
    local, _, domain = address.rpartition("@")
    base = local.partition(delimiter)[0] if delimiter else ""
    return f"{base}@{domain}" if base else address


class Own(Protocol):
    """What knows the accounts and what they set themselves."""

    def own(self, addresses: Sequence[str]) -> Mapping[str, Mapping[str, Value]]:
        """Return the settings of those lower-case addresses that are accounts, RESTRICTED among them."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the sources say of the addresses at hand."""

    own: dict[str, Mapping[str, Value]] = field(default_factory=dict)
    targets: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Final:
    """Where an address leads to in the end."""

    address: str
    account: str | None = None
    reached: str = ""  # the group with a mailbox of its own that it is behind, if any


class Accounts:
    """Answers who is behind an address and what he wants; the first source that knows a name counts."""

    def __init__(self, config: Config, sources: Sequence[Source], own: Own) -> None:
        self._sources = sources
        self._own = own
        self._domains = frozenset(config.mail.domains)
        self._delimiter = config.mail.recipient_delimiter
        self._locked = frozenset(locked(config.users.may_change))
        self._site = config.site_settings()
        self._by_domain = config.users.domains
        # Most accounts set nothing: they share their domain's preferences.
        self._defaults = {domain: merge(self.levels(domain, {})) for domain in self._domains}
        self._outside = merge([self._site])

    def resolve(self, addresses: Sequence[str]) -> list[Resolution]:
        """Return who is behind each address, in order; as few questions to the sources as levels of aliases.

        Raise StoreUnavailable where a source does.
        """
        facts = self._gather({address.lower() for address in addresses})
        return [Resolution(address, self._members(address.lower(), facts)) for address in addresses]

    def levels(self, domain: str, own: Mapping[str, Value]) -> list[Mapping[str, Value]]:
        """Return the levels of settings in force in a domain of ours: own ones without locked keys first."""
        free = {key: value for key, value in own.items() if key not in self._locked}
        levels = [free, self._by_domain.get(domain, {}), self._site]
        return [NO_FILTER, *levels] if RESTRICTED in own else levels

    def without_detail(self, address: str) -> str:
        """Return an address without its detail."""
        return without_detail(address, self._delimiter)

    def _gather(self, addresses: set[str]) -> Facts:
        """Ask the sources for all that the addresses lead to, a level of aliases at a time."""
        facts = Facts()
        seen: set[str] = set()
        for _ in range(DEPTH + 1):
            seen |= addresses
            ours = [address for address in addresses if _domain(address) in self._domains]
            if not ours:
                break
            self._ask(ours, facts)
            addresses = {target for address in ours for target in self._targets(address, facts)} - seen
        return facts

    def _targets(self, address: str, facts: Facts) -> tuple[str, ...]:
        step = self._step(address, facts)
        return () if isinstance(step, Final) else step

    def _ask(self, addresses: Iterable[str], facts: Facts) -> None:
        names = {name for address in addresses for name in self._names(address)}
        facts.own.update(self._own.own(sorted(names)))
        names |= {"@" + _domain(address) for address in addresses}
        names -= facts.targets.keys()
        for source in self._sources:
            found = source.targets(sorted(names))
            for name, targets in found.items():
                facts.targets[name] = tuple(_absolute(one, _domain(name)) for one in targets)
            names -= found.keys()

    def _names(self, address: str) -> tuple[str, ...]:
        """Return an address and, where it has a detail, the address without it."""
        base = self.without_detail(address)
        return (address,) if base == address else (address, base)

    def _step(self, address: str, facts: Facts) -> tuple[str, ...] | Final:
        """Return what an address of ours stands for, one step on; the first answer wins."""
        local, _, domain = address.rpartition("@")
        all_of_it = facts.targets.get("@" + domain, ())
        if all_of_it and all_of_it[0].startswith("@"):
            return (local + all_of_it[0],)
        names = self._names(address)
        for name in names:
            if name in facts.own:
                return Final(name, name)
            targets = facts.targets.get(name)
            if targets is not None:
                return targets or Final(address)
        if all_of_it and not any(name in all_of_it for name in names):
            return all_of_it
        return Final(address)

    def _members(self, address: str, facts: Facts) -> tuple[Member, ...]:
        walk = Walk()
        self._follow(address, facts, walk)
        if walk.cut:
            log.warning("aliases lead in a circle or deeper than %d times=%d", DEPTH, walk.cut)
        return tuple(self._member(final, facts) for final in walk.found.values())

    def _follow(self, address: str, facts: Facts, walk: Walk) -> None:
        """Add to a walk where an address leads to."""
        if _domain(address) not in self._domains:
            return walk.add(Final(address))
        if address in walk.path:
            return walk.cut_off(address)
        if (address, walk.group) in walk.done:
            return None
        step = self._step(address, facts)
        if isinstance(step, Final):
            return walk.add(step)
        if len(walk.path) == DEPTH:
            return walk.cut_off(address)
        walk.path.append(address)
        names = self._names(address)
        group = walk.group
        if len(step) > 1 and any(target in names for target in step):
            walk.group = group or names[-1]
        for target in step:
            if target in names:  # aliases(5) and virtual(5) say so that there is a mailbox of that name
                walk.add(Final(names[-1], names[-1]))
            else:
                self._follow(target, facts, walk)
        walk.group = group
        walk.path.pop()
        walk.done.add((address, group))

    def _member(self, final: Final, facts: Facts) -> Member:
        domain = _domain(final.address)
        if domain not in self._domains:
            return Member(None, self._outside, local=False, address=final.address, reached=final.reached)
        own = facts.own.get(final.account, {}) if final.account is not None else {}
        return Member(
            account=final.account,
            preferences=self._preferences(domain, own),
            local=True,
            address=final.address,
            reached=final.reached,
        )

    def _preferences(self, domain: str, own: Mapping[str, Value]) -> Preferences:
        return merge(self.levels(domain, own)) if own else self._defaults[domain]


@dataclass(slots=True)
class Walk:
    """One address's way through the aliases."""

    path: list[str] = field(default_factory=list)
    done: set[tuple[str, str]] = field(default_factory=set)  # with the group that they are behind
    group: str = (
        ""  # the outermost on the path that has a mailbox of its own: no mail reaches less than all of it
    )
    found: dict[str, Final] = field(default_factory=dict)
    cut: int = 0  # how often it was cut off

    def add(self, final: Final) -> None:
        """Add a final address, unless it is there; being behind such a group counts before any other way."""
        known = self.found.get(final.address)
        if known is None or (self.group and not known.reached):
            self.found[final.address] = replace(final, reached=self.group)

    def cut_off(self, address: str) -> None:
        """Stop at an address, which counts as itself."""
        self.cut += 1
        self.add(Final(address))


class WithoutCatchAll:
    """A source whose catch-alls are not seen: who names an address means that one."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def targets(self, names: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Return what the source returns, less the catch-alls."""
        found = self._source.targets(names)
        return {
            name: targets
            for name, targets in found.items()
            if not name.startswith("@") or (targets[:1] and targets[0].startswith("@"))
        }


def _domain(address: str) -> str:
    return address.rpartition("@")[2]


def _absolute(target: str, domain: str) -> str:
    return target if "@" in target else f"{target}@{domain}"
