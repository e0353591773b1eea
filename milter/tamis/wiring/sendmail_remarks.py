"""What is right and wrong in a Sendmail's configuration, seen from Tamis's."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from tamis import address
from tamis.config import Config
from tamis.wiring import ports, reach
from tamis.wiring.remark import Remark, failed, ok, warning
from tamis.wiring.sendmail import Daemon, Milter, Sendmail

PUBLIC = frozenset({"smtp", "25"})
SUBMISSION = frozenset({"submission", "587", "smtps", "submissions", "465"})
PAGE = "see docs/install-sendmail.md"
# Seconds, where T= does not say (Sendmail Installation and Operation Guide, section 5.11): for any answer,
# and in all for that to the end of a message.
TIMEOUTS = {"R": 10.0, "E": 300.0}
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def remarks(config: Config, sendmail: Sendmail, handing_over: float) -> Iterator[Remark]:
    """Yield a remark on each thing that Tamis needs; copies may take so many seconds."""
    ours = address.parse(config.milter.listen)
    milter = next((one for one in sendmail.milters if _same(one.socket, ours)), None)
    if milter is None:
        yield failed(f"{sendmail.file} has no milter at {config.milter.listen}: {PAGE}")
        return
    yield from _daemons(config, sendmail, milter)
    yield from _socket(ours, sendmail)
    yield _action(config, milter)
    yield from _timeouts(config, milter, handing_over)
    yield from _copies(config, sendmail, milter)
    size = sendmail.options.get("maxmessagesize", "0")
    if not size.isdecimal() or not 0 < int(size) <= config.milter.max_message:
        text = f"Sendmail's MaxMessageSize is {size}"
        yield warning(f"{text}: mail over milter.max_message ({config.milter.max_message}) is not scanned")


def _same(socket: str, ours: address.Address) -> bool:
    scheme, _, rest = socket.partition(":")
    match ours:
        case address.UnixAddress(path):
            return scheme in ("local", "unix") and os.path.realpath(rest) == os.path.realpath(path)
        case address.InetAddress():
            port, _, host = rest.partition("@")
            theirs = address.InetAddress(
                host.strip("[]") or "localhost", int(port) if port.isdecimal() else 0
            )
            loopback = theirs.is_loopback and ours.is_loopback
            return theirs.port == ours.port and (theirs.host == ours.host or loopback)


def _daemons(config: Config, sendmail: Sendmail, milter: Milter) -> Iterator[Remark]:
    asking = [one for one in sendmail.daemons if milter.name in one.milters]
    if not asking:
        yield failed(f"Sendmail's InputMailFilters does not name {milter.name}")
        return
    yield ok(f"Sendmail asks Tamis about mail from {', '.join(one.name for one in asking)}")
    for one in sendmail.daemons:
        if one in asking:
            yield from _direction(config, one)
        elif not (_is_loopback(one) and _takes_copies(config, one)):
            text = f"Sendmail takes mail at {one.name} and does not ask Tamis"
            yield warning(text) if _is_loopback(one) else failed(text)


def _is_loopback(daemon: Daemon) -> bool:
    return ports.is_loopback(daemon.address)


def _takes_copies(config: Config, daemon: Daemon) -> bool:
    where = address.parse(config.resend.relay) if config.resend.relay else None
    return isinstance(where, address.InetAddress) and ports.leads(where, daemon.address, daemon.port)


def _copies(config: Config, sendmail: Sendmail, milter: Milter) -> Iterator[Remark]:
    """Say whether copies come back, if Tamis makes any."""
    if not config.resend.relay:
        return
    found = [one for one in sendmail.daemons if _takes_copies(config, one)]
    for one in found:
        name = f"Sendmail's daemon {one.name}, resend.relay,"
        if milter.name in one.milters:
            yield failed(f"{name} asks Tamis, to which each copy comes back: InputMailFilters= ({PAGE})")
        else:
            yield ok(f"{name} leads past Tamis")
        if "a" in one.modifiers:
            yield failed(f"{name} takes no copy without AUTH: M= without a ({PAGE})")
    if not found:
        text = f"{sendmail.file} has no daemon at {config.resend.relay}"
        yield warning(f"{text}: cannot tell whether copies come back to Tamis")


def _direction(config: Config, daemon: Daemon) -> Iterator[Remark]:
    """Say where incoming mail would be taken for outgoing, and the other way round."""
    outgoing = daemon.name in config.mail.outgoing_daemons
    if outgoing and daemon.port in PUBLIC:
        text = f"Sendmail's {daemon.name} takes mail of the world and is one of mail.outgoing_daemons"
        yield failed(f"{text}: nobody's settings count")
    elif not outgoing and daemon.port in SUBMISSION and "a" not in daemon.modifiers:
        yield warning(
            f"Sendmail's {daemon.name} is not one of mail.outgoing_daemons, and does not require AUTH"
        )


def _socket(ours: address.Address, sendmail: Sendmail) -> Iterator[Remark]:
    if not isinstance(ours, address.UnixAddress):
        return
    user = sendmail.options.get("runasuser", "root").partition(":")[0]
    try:
        problem = reach.obstacle(Path(ours.path), user, root=Path("/"))
    except FileNotFoundError:
        yield warning(f"{ours} is not there: Tamis does not run")
    except OSError as error:
        yield warning(f"cannot tell whether Sendmail's {user} gets at {ours}: {error.strerror}")
    except KeyError:
        yield failed(f"Sendmail's RunAsUser {user} is no user of this host")
    else:
        problem = problem or _unsafe(Path(ours.path), sendmail)
        yield failed(f"Sendmail cannot connect: {problem}") if problem else ok(f"Sendmail gets at {ours}")


def _unsafe(socket: Path, sendmail: Sendmail) -> str | None:
    """Return what makes Sendmail refuse a socket that it can reach, unless it is told to trust folders."""
    if sendmail.options.get("dontblamesendmail", "safe").lower() != "safe":
        return None
    for folder in socket.parents:
        if folder.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return f"others than its owner may write to {folder}, which makes it unsafe"
    return None


def _action(config: Config, milter: Milter) -> Remark:
    text = f"Sendmail's F= of {milter.name}"
    if "R" in milter.flags:
        return failed(f"{text} is R, which loses mail while Tamis is away: F=T")
    if "4" in milter.flags:
        return warning(f"{text} is 4: F=T lets the client end in good order")
    if "T" in milter.flags:
        return ok(f"{text} is T")
    if config.antivirus.on_error == "pass":
        return warning(f"{text} is not set: while Tamis is away nothing is filtered")
    return failed(f"{text} is not set: malware comes through while Tamis is away, against antivirus.on_error")


def _timeouts(config: Config, milter: Milter, handing_over: float) -> Iterator[Remark]:
    deadline = config.milter.deadline
    longest = deadline + handing_over if config.resend.relay else deadline
    for letter, default in TIMEOUTS.items():
        patience = _seconds(milter, letter, default)
        text = f"Sendmail's T={letter} of {milter.name} ({patience:.0f}s)"
        if patience <= deadline:
            yield failed(f"{text} is not above milter.deadline ({deadline:.0f}s): it gives up first")
        elif patience <= longest:
            yield warning(
                f"{text} is not above milter.deadline and the {handing_over:.0f}s of copies: "
                f"it may give up while they are on their way; {letter}:{longest + 1:.0f}s"
            )
        else:
            yield ok(f"{text} is above milter.deadline")


def _seconds(milter: Milter, letter: str, default: float) -> float:
    text = milter.timeouts.get(letter, "")
    unit = SECONDS.get(text[-1:], 1)
    number = text.rstrip("smhdw")
    return float(number) * unit if number.isdecimal() else default
