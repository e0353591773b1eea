"""What is right and wrong in a Postfix's configuration, seen from Tamis's."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tamis import address, units
from tamis.config import Config
from tamis.wiring import reach
from tamis.wiring.postfix import Milter, Postfix, Service, words
from tamis.wiring.remark import Remark, failed, ok, warning

PUBLIC = frozenset({"smtp", "25", "smtpd"})  # ports for the world; "smtpd" is behind postscreen(8)
SUBMISSION = frozenset({"submission", "587", "submissions", "465", "smtps"})  # ports for users
SIZE_UNLIMITED = 0  # of message_size_limit


@dataclass(frozen=True, slots=True)
class Use:
    """A service that asks Tamis."""

    service: Service
    milter: Milter

    def value(self, name: str) -> str:
        """Return a parameter milter_NAME as it is in force for Tamis."""
        return self.milter.own.get(name, self.service.parameters[f"milter_{name}"])

    def is_set(self, name: str, postfix: Postfix) -> bool:
        """Tell whether somebody has set that parameter."""
        full = f"milter_{name}"
        return name in self.milter.own or full in self.service.own or full in postfix.explicit


def remarks(config: Config, postfix: Postfix) -> Iterator[Remark]:
    """Yield a remark on each thing that Tamis needs."""
    ours = address.parse(config.milter.listen)
    uses, local = listening(config, postfix), by_programs(config, postfix)
    yield from _listeners(config, postfix, uses)
    if local:
        yield ok("Postfix's non_smtpd_milters names Tamis")
        uses.append(local)
    else:
        text = "Postfix's non_smtpd_milters does not name Tamis: mail of this host's programs is not filtered"
        yield warning(text)
    yield from each(uses, lambda use: _socket(use, ours, postfix))
    yield from each(uses, lambda use: _default_action(use, config, postfix))
    yield from each(uses, lambda use: _content_timeout(use, config))
    yield from each(uses, lambda use: _command_timeout(use, config))
    yield from each(uses, _protocol)
    yield from _directions(config, uses)
    yield from _sizes(config, postfix)
    yield from _delimiter(config, postfix)
    yield from _domains(config, postfix)


def each(uses: list[Use], judge: Callable[[Use], Remark | None]) -> Iterator[Remark]:
    """Yield what is said of the services: once where it is the same, else with their names."""
    found: dict[Remark, list[str]] = {}
    for use in uses:
        if remark := judge(use):
            found.setdefault(remark, []).append(use.service.name)
    for remark, names in found.items():
        yield remark if len(found) == 1 else replace(remark, text=f"{remark.text} ({', '.join(names)})")


# --- Who asks Tamis --------------------------------------------------------------------------------


def listening(config: Config, postfix: Postfix) -> list[Use]:
    """Return the listeners that ask Tamis."""
    ours = address.parse(config.milter.listen)
    return [use for one in postfix.listeners if (use := _use(one, "smtpd_milters", ours))]


def by_programs(config: Config, postfix: Postfix) -> Use | None:
    """Return what asks Tamis about mail of this host's programs."""
    if postfix.cleanup is None:
        return None
    return _use(postfix.cleanup, "non_smtpd_milters", address.parse(config.milter.listen))


def _use(service: Service, parameter: str, ours: address.Address) -> Use | None:
    for milter in service.milters(parameter):
        if any(_same(place, ours) for place in _places(milter, service)):
            return Use(service, milter)
    return None


def _places(milter: Milter, service: Service) -> Iterator[address.Address]:
    """Yield what a milter's address may mean: a path counts from the queue directory, if not from /."""
    scheme, _, rest = milter.address.partition(":")
    try:
        if scheme in ("unix", "local"):
            yield address.UnixAddress(os.path.join(service.parameters["queue_directory"], rest.lstrip("/")))  # noqa: PTH118
            if rest.startswith("/"):
                yield address.UnixAddress(rest)
        else:
            yield address.parse(milter.address)
    except ValueError:
        return


def _same(theirs: address.Address, ours: address.Address) -> bool:
    match theirs, ours:
        case address.UnixAddress(one), address.UnixAddress(other):
            return os.path.realpath(one) == os.path.realpath(other) or _same_file(one, other)
        case address.InetAddress(), address.InetAddress():
            same_host = theirs.host == ours.host or (theirs.is_loopback and ours.is_loopback)
            return theirs.port == ours.port and same_host
    return False


def _same_file(one: str, other: str) -> bool:
    """Tell whether two paths lead to one socket, as where a folder is mounted into the chroot."""
    try:
        return Path(one).samefile(other)
    except OSError:
        return False


def _listeners(config: Config, postfix: Postfix, uses: list[Use]) -> Iterator[Remark]:
    if not uses:
        yield failed(f"Postfix's smtpd_milters does not name {config.milter.listen}")
        return
    named = [use.service.name for use in uses]
    yield ok(f"Postfix asks Tamis about mail from {', '.join(named)}")
    for one in postfix.listeners:
        if one.name in named or not one.is_public:
            continue
        text = f"Postfix takes mail at {one.name} and does not ask Tamis"
        yield failed(text) if one.port in PUBLIC | SUBMISSION else warning(text)
    if postfix.parameters["smtpd_milter_maps"]:
        yield warning("Postfix's smtpd_milter_maps may let some clients past Tamis")


def _directions(config: Config, uses: list[Use]) -> Iterator[Remark]:
    """Say where incoming mail would be taken for outgoing, and the other way round."""
    for use in uses:
        name = use.service.parameters["milter_macro_daemon_name"]
        outgoing = name in config.mail.outgoing_daemons
        where = f"Postfix's milter_macro_daemon_name is {name} at {use.service.name}"
        if outgoing and use.service.port in PUBLIC:
            yield failed(f"{where}: incoming mail is taken for outgoing, and nobody's settings count")
        elif not outgoing and use.service.port in SUBMISSION:
            yield warning(f"{where}, not one of mail.outgoing_daemons: see docs/install-postfix.md")


# --- The socket ------------------------------------------------------------------------------------


def _socket(use: Use, ours: address.Address, postfix: Postfix) -> Remark | None:
    """Say whether Postfix gets at a unix socket, from where it stands."""
    if not isinstance(ours, address.UnixAddress):
        return None
    written = use.milter.address.partition(":")[2]
    below = postfix.queue_directory / written.lstrip("/")
    inside = use.service.chroot or not written.startswith("/")
    place = below if inside else Path(written)
    if not _same(address.UnixAddress(str(place)), ours):
        where = f"in its chroot {postfix.queue_directory}" if use.service.chroot else "outside a chroot"
        return failed(f"Postfix looks for {use.milter.address} {where}, where {ours} is not")
    owner = postfix.parameters["mail_owner"]
    try:
        problem = reach.obstacle(place, owner, root=postfix.queue_directory if inside else Path("/"))
    except FileNotFoundError:
        return warning(f"{ours} is not there: Tamis does not run")
    except OSError as error:
        return warning(f"cannot tell whether Postfix's {owner} gets at {ours}: {error.strerror}")
    except KeyError:
        return failed(f"Postfix's mail_owner {owner} is no user of this host")
    return (
        failed(f"Postfix cannot connect: {problem}") if problem else ok(f"Postfix's {owner} gets at {ours}")
    )


# --- While Tamis is away or late -------------------------------------------------------------------


def _default_action(use: Use, config: Config, postfix: Postfix) -> Remark:
    action = use.value("default_action")
    text = f"Postfix's milter_default_action is {action}"
    match action:
        case "tempfail" if not use.is_set("default_action", postfix):
            return warning(f"{text}, and not set: Postfix 3.11 would make it shutdown")
        case "tempfail":
            return ok(text)
        case "shutdown":
            return warning(f"{text}: tempfail lets the client end in good order")
        case "accept" if config.antivirus.on_error == "pass":
            return warning(f"{text}: while Tamis is away nothing is filtered")
        case "accept":
            return failed(f"{text}: malware comes through while Tamis is away, against antivirus.on_error")
        case _:
            return failed(f"{text}, which loses mail while Tamis is away: tempfail")


def _content_timeout(use: Use, config: Config) -> Remark:
    text = use.value("content_timeout")
    name = f"Postfix's milter_content_timeout ({text})"
    patience = seconds(text)
    if patience is None:
        return warning(f"{name} cannot be read")
    if patience <= config.milter.deadline:
        return failed(
            f"{name} is not above milter.deadline ({config.milter.deadline:.0f}s): it gives up first"
        )
    return ok(f"{name} is above milter.deadline")


def _command_timeout(use: Use, config: Config) -> Remark | None:
    text = use.value("command_timeout")
    patience = seconds(text)
    if patience is not None and patience >= config.store.timeout:
        return None
    return warning(
        f"Postfix's milter_command_timeout ({text}) is below store.timeout ({config.store.timeout:.0f}s)"
    )


def seconds(text: str) -> float | None:
    """Return the seconds of a time as postconf(5) writes it: s, m, h, d, w, and seconds without."""
    try:
        return float(text) if text.isdecimal() else units.duration(text.replace("w", "weeks"))
    except ValueError:
        return None


def _protocol(use: Use) -> Remark | None:
    version = use.value("protocol").partition(" ")[0].partition(",")[0]
    if version.isdecimal() and int(version) < 6:
        return warning(f"Postfix's milter_protocol is {version}: below 6, DKIM cannot be judged")
    return None


# --- What else must agree --------------------------------------------------------------------------


def _sizes(config: Config, postfix: Postfix) -> Iterator[Remark]:
    text = postfix.parameters["message_size_limit"]
    largest = int(text) if text.isdecimal() else SIZE_UNLIMITED
    if largest == SIZE_UNLIMITED or largest > config.milter.max_message:
        limit = config.milter.max_message
        yield warning(
            f"Postfix's message_size_limit is {text}: mail over milter.max_message ({limit}) is not scanned"
        )


def _delimiter(config: Config, postfix: Postfix) -> Iterator[Remark]:
    ours, theirs = config.mail.recipient_delimiter, postfix.parameters["recipient_delimiter"]
    if not ours or ours in theirs:
        return
    text = f'mail.recipient_delimiter is "{ours}", Postfix\'s is "{theirs}"'
    if _delivers_itself(config, postfix):
        yield failed(f"{text}: mail that somebody files would bounce")
    else:
        yield warning(f"{text}: what delivers filed mail must know the first")


def _delivers_itself(config: Config, postfix: Postfix) -> bool:
    """Tell whether it is known that local(8) or virtual(8) looks up addresses of our domains."""
    by_local = set() if postfix.parameters["mailbox_transport"] else _names(postfix, "mydestination")
    own = postfix.parameters["virtual_transport"] == "virtual"
    by_virtual = _names(postfix, "virtual_mailbox_domains") if own else set()
    return not (by_local | by_virtual).isdisjoint(config.mail.domains)


def _names(postfix: Postfix, *lists: str) -> set[str]:
    return {name.lower() for one in lists for name in words(postfix.parameters[one])}


def _domains(config: Config, postfix: Postfix) -> Iterator[Remark]:
    """Compare the domains, unless some of Postfix's stand in tables."""
    lists = ("mydestination", "virtual_mailbox_domains", "virtual_alias_domains", "relay_domains")
    theirs = _names(postfix, *lists)
    if any(":" in name or "/" in name or name.startswith("!") for name in theirs):
        return
    for name in sorted(set(config.mail.domains) - theirs):
        yield warning(f"mail.domains has {name}, which is in none of Postfix's {', '.join(lists)}")
    for name in sorted(_names(postfix, "virtual_mailbox_domains") - set(config.mail.domains)):
        text = f"Postfix's virtual_mailbox_domains has {name}, and mail.domains has not"
        yield warning(f"{text}: its users have no settings")
