"""A table of the configuration file, and kinds of values that stand in it."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from tamis import address, refusal, units

LONGEST = 86_400.0  # seconds that anything may be waited for; clocks and the database take no endless ones
LARGEST = 1 << 40  # octets


class Section(BaseModel):
    """A table of the file: no unknown keys, no silent conversions, never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def unit(parse: object) -> BeforeValidator:
    """Return what lets a number be written with its unit."""

    def validate(value: object) -> object:
        return parse(value) if isinstance(value, str) and callable(parse) else value

    return BeforeValidator(validate)


def _address(text: str) -> str:
    address.parse(text)
    return text


def _domain(text: str) -> str:
    if not re.fullmatch(r"[^\s@.]+(\.[^\s@.]+)*", text):
        raise ValueError(f'expected a domain such as "example.org", got "{text}"')
    return text.lower()


def _network(value: object) -> object:
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    try:
        return ip_network(value if isinstance(value, str) else "", strict=False)
    except ValueError:
        raise ValueError(f'expected a network such as "192.0.2.0/24", got {refusal.shown(value)}') from None


Seconds = Annotated[float, unit(units.duration), Field(gt=0, le=LONGEST)]
Octets = Annotated[int, unit(units.size), Field(gt=0, le=LARGEST)]
Address = Annotated[str, BeforeValidator(lambda value: _address(value) if isinstance(value, str) else value)]
Domain = Annotated[str, BeforeValidator(lambda value: _domain(value) if isinstance(value, str) else value)]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]
