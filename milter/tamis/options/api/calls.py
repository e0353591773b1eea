"""All calls of the API: a table, of which routes and description are made."""

from __future__ import annotations

from http import HTTPStatus

from tamis.options.api import account, models, records
from tamis.options.api.call import Call
from tamis.store.api_tokens import Scope

CONFLICT = (HTTPStatus.CONFLICT,)

CALLS = (
    Call(
        "account",
        "GET",
        "/account",
        Scope.READ,
        "Show the account's settings: what is in force, what of it is its own, and what is locked.",
        account.show,
        models.Account,
    ),
    Call(
        "settings",
        "PATCH",
        "/account",
        Scope.CHANGE,
        "Change settings: all that are named, or none. In force for the next message.",
        account.change,
        models.Account,
        body=models.Wanted,
        refusals=CONFLICT,
    ),
    Call(
        "close",
        "POST",
        "/account/close",
        Scope.CHANGE,
        "Close the account: the time begins after which its records go.",
        account.close,
        models.Account,
        refusals=CONFLICT,
    ),
    Call(
        "reopen",
        "POST",
        "/account/reopen",
        Scope.CHANGE,
        "Make a closed account whole again.",
        account.reopen,
        models.Account,
        refusals=CONFLICT,
    ),
    Call(
        "restrict",
        "POST",
        "/account/restrict",
        Scope.CHANGE,
        "Restrict the use of the account's data: no filter runs on its incoming mail.",
        account.restrict,
        models.Account,
        refusals=CONFLICT,
    ),
    Call(
        "lift",
        "POST",
        "/account/lift",
        Scope.CHANGE,
        "End the restriction.",
        account.lift,
        models.Account,
        refusals=CONFLICT,
    ),
    Call(
        "senders",
        "GET",
        "/senders",
        Scope.READ,
        "Show the lists of senders.",
        account.show_senders,
        models.SenderLists,
    ),
    Call(
        "senders-edit",
        "PATCH",
        "/senders/{list}",
        Scope.CHANGE,
        "Take entries out of a list (allowed, blocked, newsletter or social) and add others to it.",
        account.edit_senders,
        models.Senders,
        body=models.Edit,
        refusals=CONFLICT,
        choices={"list": models.LIST_NAMES},
    ),
    Call(
        "report",
        "GET",
        "/report",
        Scope.READ,
        "Tell which records about the account are kept: how many of each class, oldest and newest.",
        records.show_report,
        models.Report,
    ),
)
