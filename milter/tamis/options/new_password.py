"""*My password*: another local password, by who knows the one that there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus

from sqlalchemy import Connection
from starlette.responses import Response

from tamis import passwords
from tamis.config import Config
from tamis.desk import passwords as desk
from tamis.options import confirming, keys
from tamis.options.confirming import Wrong
from tamis.options.pool import Clerk
from tamis.options.visit import Visit
from tamis.store import credentials, web_sessions
from tamis.words.catalogue import text

OLD, NEW, AGAIN = "old", "new", "again"  # fields of the form
UNFIT = HTTPStatus.UNPROCESSABLE_ENTITY
TOO_WEAK = text("Enter {shortest} characters or more, {longest} at most.")
NOT_THE_SAME = text("Both have to be the same.")
NOT_ANOTHER = text("This is the password that you have. Choose another one.")

# By ways to sign in: where what lets in by them is changed.
ELSEWHERE: Mapping[str, str] = {
    "imap": text("The password of your mailbox lets you in here. You change it where your provider says."),
    "link": text("Your webmail lets you in here. The password for that is changed there."),
    "header": text("Your provider's own sign-in lets you in here. The password for that is changed there."),
}
SENDING = text("To send mail takes the password of your mailbox. You change that where your provider says.")


def since(connection: Connection, visit: Visit) -> int | None:
    """Return when the account's local password was set, in Unix ms; None where none signs in."""
    is_on = "password" in visit.site.config.options.sign_in
    return credentials.password_changed(connection, visit.account) if is_on else None


def elsewhere(config: Config) -> Iterator[str]:
    """Return where other passwords are changed than local ones."""
    ways = config.options.sign_in
    yield from (told for way, told in ELSEWHERE.items() if way in ways)
    if config.sessions.smtp and "imap" not in ways:
        yield SENDING


async def show(visit: Visit) -> Response:
    """Show the form, to who has a local password."""
    return _page(visit) if await _has_one(visit) else visit.go("sign-ins")


async def change(visit: Visit) -> Response:
    """Change it, and sign all other browsers out."""
    if not await _has_one(visit):
        return visit.go("sign-ins")
    unfit = _unfit(visit)
    if unfit is not None:
        return _page(visit, *unfit)
    wrong = await confirming.wrong_local(visit, visit.form.get(OLD))
    if wrong is not None:
        return _page(visit, OLD, wrong)
    digest = await visit.site.doorkeeper.hash(visit.form.get(NEW))
    token = keys.new_token()
    renewed = visit.site.keys.session(token)
    former = visit.site.keys.session(visit.token)
    notify = visit.site.config.notices.is_on

    def write(clerk: Clerk) -> None:
        with visit.writing(clerk) as connection:
            session = web_sessions.find(connection, former, now=visit.now)
            assert session is not None  # noqa: S101  # else who asks was signed out
            desk.change(connection, session, digest, renewed, notify=notify, now=visit.now)

    await visit.work(write)
    if notify:
        visit.site.errands.tell(now=visit.now)
    response = visit.go("sign-ins", "done=password")
    visit.site.cookie.give(response, token)
    return response


def _unfit(visit: Visit) -> tuple[str, Wrong] | None:
    """Return in which field something is wrong with the new one, and what; None for nothing."""
    new = visit.form.get(NEW)
    try:
        passwords.check(new)
    except passwords.WeakPassword:
        bounds = {"shortest": passwords.SHORTEST, "longest": passwords.LONGEST}
        return NEW, Wrong(visit.say(TOO_WEAK, **bounds), UNFIT)
    if new == visit.form.get(OLD):
        return NEW, Wrong(visit.say(NOT_ANOTHER), UNFIT)
    return None if new == visit.form.get(AGAIN) else (AGAIN, Wrong(visit.say(NOT_THE_SAME), UNFIT))


async def _has_one(visit: Visit) -> bool:
    def work(clerk: Clerk) -> bool:
        with clerk.database.reading() as connection:
            return since(connection, visit) is not None

    return await visit.work(work)


def _page(visit: Visit, field: str = "", wrong: Wrong | None = None) -> Response:
    values = {
        "field": field,
        "wrong": "" if wrong is None else wrong.why,
        "shortest": passwords.SHORTEST,
        "longest": passwords.LONGEST,
        "notify": visit.site.config.notices.is_on,
    }
    return visit.page("new_password.html", values, status=HTTPStatus.OK if wrong is None else wrong.status)
