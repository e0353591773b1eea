"""*Sign-ins*: when, how and from where somebody signed in, and who still is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.responses import Response

from tamis.desk import records, sessions
from tamis.options import new_password
from tamis.options.pool import Clerk
from tamis.options.sign_in import OUT
from tamis.options.visit import Visit
from tamis.promises import storage
from tamis.promises.speech import Speech
from tamis.promises.terms import limits
from tamis.retention.classes import RecordClass
from tamis.store import web_sessions
from tamis.store.sessions import Kind
from tamis.ticket import time_of
from tamis.words.catalogue import text

PAGE = 50  # sign-ins of a page

KINDS: Mapping[str, str] = {
    Kind.OPTIONS: text("This web page"),
    Kind.SMTP: text("Sending mail"),
}
DONE: Mapping[str, str] = {
    "deleted": text("Deleted."),
    "kept": text("It has to stay on record for now. Who was still signed in by it is signed out."),
    "some": text(
        "Deleted, but for some that have to stay on record for now. Who was still signed in is signed out."
    ),
    "others": text("All other browsers are signed out."),
    "password": text(
        "Your password is changed, and all other browsers are signed out. Programs that you let in stay so."
    ),
}

# By whether some are gone, and whether some are kept.
OUTCOMES = {(True, False): "deleted", (False, True): "kept", (True, True): "some"}


async def show(visit: Visit) -> Response:
    """Show the newest, or those from before one."""
    before = visit.request.query_params.get("before", "")
    assert visit.session is not None  # noqa: S101  # the route is for accounts
    digest, own = visit.session.hash, visit.session.sign_in

    def read(clerk: Clerk) -> tuple[Sequence[Mapping[str, object]], bool, frozenset[str], int, int | None]:
        with clerk.database.reading() as connection:
            found, has_older = records.newest(
                connection, RecordClass.SESSION, visit.account, before=before, most=PAGE
            )
            ids = [str(one["id"]) for one in found]
            living = web_sessions.living(connection, visit.account, ids, now=visit.now)
            others = web_sessions.count_others(connection, visit.account, digest, now=visit.now)
            return found, has_older, living, others, new_password.since(connection, visit)

    shown, has_older, living, others, password_since = await visit.work(read)
    speech = Speech(visit.language.name)
    rules = visit.site.config.rules
    values = {
        "sign_ins": [{**one, "time": time_of(str(one["id"]))} for one in shown],
        "kinds": KINDS,
        "living": living,
        "own": own,
        "others": others,
        "password_since": password_since,
        "elsewhere": list(new_password.elsewhere(visit.site.config)),
        "how_long": storage.how_long(
            RecordClass.SESSION, limits(rules, RecordClass.SESSION), str(rules.notice), speech
        ),
        "smtp": visit.site.config.sessions.smtp,
        "older": shown[-1]["id"] if has_older else "",
        "is_first": not before,
        "done": DONE.get(visit.request.query_params.get("done", ""), ""),
    }
    return visit.page("sign_ins.html", values)


async def change(visit: Visit) -> Response:
    """Delete all, or sign all other browsers out."""
    if visit.form.choice("do", ("delete", "sign-out")) == "delete":
        return await _delete(visit, None)
    assert visit.session is not None  # noqa: S101  # the route is for accounts
    digest = visit.session.hash

    def sign_out(clerk: Clerk) -> None:
        with visit.writing(clerk) as connection:
            web_sessions.end_others(connection, visit.account, digest)

    await visit.work(sign_out)
    return visit.go("sign-ins", "done=others")


async def delete(visit: Visit) -> Response:
    """Delete one."""
    return await _delete(visit, [visit.request.path_params["sign_in"]])


async def _delete(visit: Visit, ids: Sequence[str] | None) -> Response:
    rules = visit.site.config.rules

    assert visit.session is not None  # noqa: S101  # the route is for accounts
    digest = visit.session.hash

    def work(clerk: Clerk) -> tuple[sessions.Deleted, bool]:
        with visit.writing(clerk) as connection:
            deleted = sessions.delete(connection, visit.account, ids, rules, now=visit.now)
            return deleted, web_sessions.find(connection, digest, now=visit.now) is None

    deleted, is_out = await visit.work(work)
    if not deleted.gone and not deleted.kept:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    if is_out:
        return visit.go("sign-in", f"{OUT}=yes")
    return visit.go("sign-ins", f"done={OUTCOMES[deleted.gone > 0, deleted.kept > 0]}")
