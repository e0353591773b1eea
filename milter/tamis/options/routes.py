"""All that can be asked for: a table, so that whoever adds a line says who may ask, and about what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from starlette.responses import Response

from tamis.options import (
    about,
    arrivals,
    erasing,
    history,
    mail,
    message,
    my_data,
    new_password,
    programs,
    reception,
    senders,
    sign_in,
    sign_ins,
)
from tamis.options.operators import domains, overview
from tamis.options.operators import sign_in as operator_sign_in
from tamis.options.visit import Visit

Act: TypeAlias = Callable[[Visit], Awaitable[Response]]


OPERATORS = "/operator"  # what the paths of operators' pages begin with, as their cookie is bound to it


class For(StrEnum):
    """Who may ask."""

    ANYBODY = "anybody"
    ACCOUNT = "account"  # who is signed in, about his own
    OPERATOR = "operator"  # an operator who is signed in, about nobody


@dataclass(frozen=True, slots=True)
class Route:
    """A page: how it is shown, and what its form does, which may be missing."""

    name: str
    path: str  # {words} in it are parameters
    who: For
    show: Act | None = None
    change: Act | None = None
    identifiers: tuple[str, ...] = ()  # parameters of which each value belongs to one account
    always: bool = False  # what its form does is not refused because there were many changes

    @property
    def is_operators(self) -> bool:
        """Whether it is operators who come here, with the cookie of theirs."""
        return self.path.startswith(OPERATORS)


ROUTES = (
    Route("start", "/", For.ACCOUNT, show=reception.start),
    Route("sign-in", "/sign-in", For.ANYBODY, show=sign_in.show, change=sign_in.sign_in),
    Route("sign-in-link", "/sign-in/link", For.ANYBODY, show=arrivals.by_link),
    Route("sign-out", "/sign-out", For.ACCOUNT, change=sign_in.sign_out, always=True),
    Route("reception", "/reception", For.ACCOUNT, show=reception.show, change=reception.change),
    Route("senders", "/senders", For.ACCOUNT, show=senders.show, change=senders.change),
    Route("senders-text", "/senders/{list}", For.ACCOUNT, show=senders.show_text, change=senders.change_text),
    Route("senders-file", "/senders/{list}/file", For.ACCOUNT, show=senders.download),
    Route("mail", "/mail", For.ACCOUNT, show=mail.show),
    Route(
        "message",
        "/mail/{ticket}",
        For.ACCOUNT,
        show=message.show,
        change=message.change,
        identifiers=("ticket",),
    ),
    Route("operator", OPERATORS, For.OPERATOR, show=overview.show),
    Route("domains", f"{OPERATORS}/domains", For.OPERATOR, show=domains.show),
    Route(
        "operator-sign-in",
        f"{OPERATORS}/sign-in",
        For.ANYBODY,
        show=operator_sign_in.show,
        change=operator_sign_in.sign_in,
    ),
    Route("operator-sign-out", f"{OPERATORS}/sign-out", For.OPERATOR, change=operator_sign_in.sign_out),
    Route("sign-ins", "/sign-ins", For.ACCOUNT, show=sign_ins.show, change=sign_ins.change),
    Route("password", "/sign-ins/password", For.ACCOUNT, show=new_password.show, change=new_password.change),
    Route(
        "sign-in-record",
        "/sign-ins/{sign_in}",
        For.ACCOUNT,
        change=sign_ins.delete,
        identifiers=("sign_in",),
    ),
    Route("my-data", "/my-data", For.ACCOUNT, show=my_data.show),
    Route("export", "/my-data/export", For.ACCOUNT, change=my_data.export),
    Route("history", "/my-data/history", For.ACCOUNT, show=history.show),
    Route("programs", "/my-data/programs", For.ACCOUNT, show=programs.show, change=programs.make),
    Route(
        "program",
        "/my-data/programs/{token_id}",
        For.ACCOUNT,
        change=programs.revoke,
        identifiers=("token_id",),
    ),
    Route("restriction", "/my-data/restriction", For.ACCOUNT, change=my_data.restrict),
    Route("closing", "/my-data/closing", For.ACCOUNT, change=my_data.close),
    Route("erasure", "/my-data/erasure", For.ACCOUNT, show=erasing.show, change=erasing.erase, always=True),
    Route("erased", "/erased", For.ANYBODY, show=erasing.show_end),
    Route("about", "/about", For.ANYBODY, show=about.show),
)
