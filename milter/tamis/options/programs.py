"""*My data*: the programs that may act for a user over the API; each token is shown once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.responses import Response

from tamis.desk import tokens
from tamis.options import confirming, keys
from tamis.options.pool import Clerk
from tamis.options.visit import Visit
from tamis.store import api_tokens
from tamis.store.api_tokens import ApiToken, Scope
from tamis.store.changes import USER
from tamis.ticket import time_of
from tamis.words.catalogue import text

SCOPES: Mapping[Scope, str] = {
    Scope.READ: text("Read only"),
    Scope.CHANGE: text("Read and change"),
    Scope.ERASE: text("Read, change, and erase all of it"),
}
OFFERED = (Scope.READ, Scope.CHANGE)  # an erasure wants more than a token; operators can make such ones
LASTING: Mapping[str, tuple[str, int | None]] = {  # days
    "year": (text("For a year"), 365),
    "month": (text("For 30 days"), 30),
    "always": (text("Until you shut it out"), None),
}
UNFIT = HTTPStatus.UNPROCESSABLE_ENTITY
DAY = 86_400_000  # milliseconds
WRONG_NAME = text("Enter a name of {most} characters at most.")
TOO_MANY = text("There are {most} programs: shut one out first.")


async def show(visit: Visit) -> Response:
    """Show the programs."""
    return await _page(visit)


async def make(visit: Visit) -> Response:
    """Let a program in, and show its token this once: the answer is the only place that has it."""
    typed = visit.form.get("name")
    scope = Scope(visit.form.choice("scope", OFFERED))
    _, days = LASTING[visit.form.choice("lasting", LASTING)]
    token = keys.new_token()
    digest = visit.site.keys.program(token)

    def add(clerk: Clerk) -> None:
        with visit.writing(clerk) as connection:
            tokens.make(
                connection,
                visit.account,
                name,
                scope,
                digest,
                expires=None if days is None else visit.now + days * DAY,
                actor=USER,
                notify=visit.site.config.notices.is_on,
                now=visit.now,
            )

    try:
        name = tokens.name(typed)
        if await confirming.has_password(visit):
            wrong = await confirming.wrong(visit, visit.form.get("confirm"))
            if wrong is not None:
                return await _page(visit, typed=typed, unconfirmed=wrong.why, status=wrong.status)
        await visit.work(add)
    except ValueError:
        return await _page(visit, typed=typed, wrong=visit.say(WRONG_NAME, most=tokens.LONGEST), status=UNFIT)
    except tokens.TooMany:
        return await _page(visit, typed=typed, wrong=visit.say(TOO_MANY, most=tokens.MOST), status=UNFIT)
    return await _page(visit, made=keys.program(token))


async def revoke(visit: Visit) -> Response:
    """Let a program in no more."""
    token_id = visit.request.path_params["token_id"]

    def remove(clerk: Clerk) -> bool:
        notify = visit.site.config.notices.is_on
        with visit.writing(clerk) as connection:
            return tokens.revoke(
                connection, visit.account, token_id, actor=USER, notify=notify, now=visit.now
            )

    if not await visit.work(remove):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return visit.go("programs", "done=revoked")


async def _page(
    visit: Visit,
    *,
    made: str = "",
    typed: str = "",
    wrong: str = "",
    unconfirmed: str = "",
    status: int = HTTPStatus.OK,
) -> Response:
    def read(clerk: Clerk) -> Sequence[ApiToken]:
        with clerk.database.reading() as connection:
            return api_tokens.of(connection, visit.account)

    values = {
        "programs": [(one, time_of(one.id)) for one in await visit.work(read)],
        "scopes": SCOPES,
        "offered": OFFERED,
        "lasting": {one: words for one, (words, _) in LASTING.items()},
        "now": visit.now,
        "made": made,
        "typed": typed,
        "wrong": wrong,
        "asks_password": await confirming.has_password(visit),
        "unconfirmed": unconfirmed,
        "most": tokens.LONGEST,
        "is_revoked": visit.request.query_params.get("done") == "revoked",
    }
    return visit.page("programs.html", values, status=status)
