"""What is right and wrong in a Postfix's listener for copies, [resend] relay."""

from __future__ import annotations

from collections.abc import Iterator

from tamis import address
from tamis.config import Config
from tamis.wiring.postfix import Postfix, Service, words
from tamis.wiring.postfix_remarks import Use, by_programs, each, listening, seconds
from tamis.wiring.remark import Remark, failed, ok, warning

PAGE = "see docs/install-postfix.md"
RESTRICTIONS = ("client", "helo", "sender", "relay", "recipient", "data", "end_of_data")
HARMLESS = frozenset({"permit_mynetworks", "permit"})  # where nothing behind them is looked at
IN_CLEAR = frozenset({"", "none", "may"})


def remarks(config: Config, postfix: Postfix, handing_over: float) -> Iterator[Remark]:
    """Yield a remark on each thing that copies need, if Tamis makes any."""
    if not config.resend.relay:
        return
    where = address.parse(config.resend.relay)
    uses = listening(config, postfix)
    found = [one for one in postfix.listeners if _is_at(one, where)]
    for one in found:
        yield from _listener(one, uses)
    if not found:
        yield warning(f"Postfix has no smtpd at {where}: cannot tell whether copies come back to Tamis")
    local = by_programs(config, postfix)
    everyone = [*uses, local] if local else uses
    yield from each(everyone, lambda use: _content_timeout(use, config, handing_over))


def _is_at(service: Service, where: address.Address) -> bool:
    return isinstance(where, address.InetAddress) and service.listens_at(where)


def _listener(copies: Service, uses: list[Use]) -> Iterator[Remark]:
    name = f"Postfix's {copies.name}, resend.relay,"
    if any(use.service is copies for use in uses):
        yield failed(
            f"{name} asks Tamis, to which each copy comes back: "
            f"-o receive_override_options=no_milters ({PAGE})"
        )
    elif copies.asks_milters and copies.parameters["smtpd_milter_maps"]:
        yield warning(f"{name} may ask Tamis by smtpd_milter_maps: -o smtpd_milter_maps=")
    else:
        yield ok(f"{name} leads past Tamis")
    if (level := copies.parameters["smtpd_tls_security_level"]) not in IN_CLEAR:
        yield failed(f"{name} takes no copy without TLS ({level}): -o smtpd_tls_security_level=none")
    yield from _content_filter(name, copies, uses)
    if checks := [parameter for parameter in _restrictions() if _may_refuse(copies.parameters[parameter])]:
        yield warning(f"{name} may refuse copies by {', '.join(checks)}: {PAGE}")


def _content_filter(name: str, copies: Service, uses: list[Use]) -> Iterator[Remark]:
    """Say where a copy would not go where the rest of its message goes, and come back from there, maybe."""
    own = copies.parameters["content_filter"]
    for theirs in sorted({use.service.parameters["content_filter"] for use in uses} - {own}):
        yield warning(f'{name} has content_filter "{own}", and those that ask Tamis "{theirs}": {PAGE}')


def _restrictions() -> Iterator[str]:
    return (f"smtpd_{one}_restrictions" for one in RESTRICTIONS)


def _may_refuse(restrictions: str) -> bool:
    first = next(iter(words(restrictions)), "permit")
    return first not in HARMLESS


def _content_timeout(use: Use, config: Config, handing_over: float) -> Remark | None:
    """Say where Postfix waits for a judgement, but not until its copies are out as well."""
    text = use.value("content_timeout")
    patience, longest = seconds(text), config.milter.deadline + handing_over
    if patience is None or not config.milter.deadline < patience <= longest:
        return None
    return warning(
        f"Postfix's milter_content_timeout ({text}) is not above milter.deadline and the {handing_over:.0f}s "
        f"of copies: it may give up while they are on their way; {longest + 1:.0f}s"
    )
