"""Calls about an account: its settings, its lists of senders, and how it is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from http import HTTPStatus

from pydantic import BaseModel

from tamis.desk import senders, settings, status
from tamis.desk.shown import Shown, shown
from tamis.desk.status import NoAccount
from tamis.options.api import models
from tamis.options.api.call import Asked
from tamis.options.api.problems import Refused, Wrong
from tamis.options.pool import Clerk
from tamis.preferences import LISTS, Value, parse
from tamis.store import settings as store


async def show(asked: Asked) -> BaseModel:
    """Return the account's settings."""
    return await asked.work(lambda clerk: _account(shown_of(asked, clerk)))


async def change(asked: Asked) -> BaseModel:
    """Change settings, all that are named or none."""
    sent = await asked.body(models.Wanted)
    given: Mapping[str, object] = sent.model_dump(by_alias=True, exclude_unset=True)
    wanted: dict[str, Value] = {}
    for key, value in given.items():
        try:
            wanted[key] = parse(key, value)
        except ValueError as error:
            wrong = Wrong(pointer=f"/{key}", detail=str(error))
            raise Refused(
                HTTPStatus.UNPROCESSABLE_ENTITY, "What was sent does not fit.", errors=[wrong]
            ) from None

    def put(clerk: Clerk) -> BaseModel:
        found = shown_of(asked, clerk)
        check_free(found, wanted)
        values = {key: value for key, value in wanted.items() if found.own.get(key) != value}
        if not values:
            return _account(found)
        with asked.writing(clerk) as connection:
            settings.put(
                connection,
                asked.account,
                values,
                actor=asked.caller.actor,
                notify=asked.notify,
                now=asked.now,
            )
        return _account(shown_of(asked, clerk))

    return await asked.work(put)


async def show_senders(asked: Asked) -> BaseModel:
    """Return the account's lists of senders."""
    return await asked.work(lambda clerk: lists(shown_of(asked, clerk)))


async def edit_senders(asked: Asked) -> BaseModel:
    """Take entries out of a list and add others."""
    if asked.named("list") not in models.LIST_NAMES:
        raise Refused(HTTPStatus.NOT_FOUND, "There is no such list.")
    key = f"senders.{asked.named('list')}"
    sent = await asked.body(models.Edit)

    def edit(clerk: Clerk) -> BaseModel:
        check_free(shown_of(asked, clerk), (key,))
        with asked.writing(clerk) as connection:
            senders.edit(
                connection,
                asked.account,
                key,
                add=sent.add,
                remove=sent.remove,
                actor=asked.caller.actor,
                notify=asked.notify,
                now=asked.now,
            )
        return _list(shown_of(asked, clerk), key)

    try:
        return await asked.work(edit)
    except ValueError as error:
        wrong = Wrong(pointer="/add", detail=str(error))
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY, "What was sent does not fit.", errors=[wrong]
        ) from None


async def close(asked: Asked) -> BaseModel:
    """Close the account."""
    return await _carry_out(asked, status.Act.CLOSE)


async def reopen(asked: Asked) -> BaseModel:
    """Make a closed account whole again."""
    return await _carry_out(asked, status.Act.REOPEN)


async def restrict(asked: Asked) -> BaseModel:
    """Restrict the use of the account's data."""
    return await _carry_out(asked, status.Act.RESTRICT)


async def lift(asked: Asked) -> BaseModel:
    """End the restriction."""
    return await _carry_out(asked, status.Act.LIFT)


async def _carry_out(asked: Asked, act: status.Act) -> BaseModel:
    def carry_out(clerk: Clerk) -> BaseModel:
        with asked.writing(clerk) as connection:
            if act is status.Act.RESTRICT:
                store.make(connection, asked.account, now=asked.now)
            status.carry_out(
                connection,
                asked.account,
                act,
                actor=asked.caller.actor,
                notify=asked.notify,
                now=asked.now,
            )
        return _account(shown_of(asked, clerk))

    try:
        found = await asked.work(carry_out)
    except NoAccount:
        raise Refused(HTTPStatus.CONFLICT, "The address has no account, or it was erased.") from None
    if asked.notify:
        asked.site.errands.tell(now=asked.now)
    return found


def shown_of(asked: Asked, clerk: Clerk) -> Shown:
    """Return how the account stands."""
    with clerk.database.reading() as connection:
        return shown(connection, asked.account, config=asked.site.config, accounts=clerk.accounts)


def check_free(found: Shown, wanted: Collection[str]) -> None:
    """Raise Refused where some of those settings are not the user's to change."""
    locked = [key for key in wanted if key in found.locked]
    if locked:
        wrong = [Wrong(pointer=f"/{key}", detail="set by the provider for all users") for key in locked]
        raise Refused(HTTPStatus.CONFLICT, "Not the user's to change; nothing was saved.", errors=wrong)
    if found.is_restricted and any(key not in LISTS for key in wanted):
        raise Refused(
            HTTPStatus.CONFLICT, "The use of the account's data is restricted, so that no filter runs."
        )


def _account(found: Shown) -> BaseModel:
    return models.Account.model_validate(found.as_json())


def lists(found: Shown) -> BaseModel:
    """Return the lists of senders."""
    return models.SenderLists(**{name: _list(found, f"senders.{name}") for name in models.LIST_NAMES})


def _list(found: Shown, key: str) -> models.Senders:
    own, applied = found.own.get(key, ()), found.applied[key]
    mine = dict.fromkeys(own if isinstance(own, tuple) else ())
    others = [one for one in applied if one not in mine] if isinstance(applied, list) else []
    return models.Senders(own=list(mine), others=others)
