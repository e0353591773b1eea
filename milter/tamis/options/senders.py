"""*Senders*: whom a user always wants to hear from, never, or as what; one by one, or as a text."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.responses import Response

from tamis.desk import senders, settings
from tamis.desk.shown import Shown
from tamis.options.pool import Clerk
from tamis.options.standing import Standing, standing
from tamis.options.visit import Visit
from tamis.preferences import LONGEST_PATTERN, MAX_PATTERNS, Value, parse
from tamis.store.changes import USER
from tamis.words.catalogue import text

MARK = "\ufeff"  # before a text that was copied out of a file of Windows' (a byte order mark)
MOST = 100  # entries of a list that its page shows one by one
SAID = 5  # wrong lines that are named

WRONG = text("Enter an address, @domain for a whole domain, or @*.domain for all below it.")
WRONG_LINE = text("Line {number}: “{line}” is no address, @domain or @*.domain.")
OUTDATED = text(
    "The list was changed elsewhere since you opened it. Save again to put the text in its place."
)
TOO_MANY = text("A list holds {most} entries at most.")


@dataclass(frozen=True, slots=True)
class List:
    """A list, and what it is for."""

    key: str
    name: str  # in paths
    title: str
    about: str
    filter: str  # without which it has no effect
    idle: str  # what is said of that
    unverified: str = ""  # what it is for where nobody tells which senders are forged


WITHOUT_ANTISPAM = text("Antispam is off, so this list has no effect.")
WITHOUT_GRAYMAIL = text("Graymail is off, so this list has no effect.")

ALL = (
    List(
        "senders.allowed",
        "allowed",
        text("Always allowed"),
        text("Their mail is not spam, unless something shows that the sender is forged."),
        "antispam",
        WITHOUT_ANTISPAM,
        text(
            "Their mail gets 5 points less, and so is seldom spam. More would help forgers, too: nothing "
            "here tells whose mail is forged."
        ),
    ),
    List(
        "senders.blocked",
        "blocked",
        text("Blocked"),
        text("Their mail is spam, and what you chose for spam happens to it."),
        "antispam",
        WITHOUT_ANTISPAM,
    ),
    List(
        "senders.newsletter",
        "newsletters",
        text("My newsletters"),
        text("Their mail counts as a newsletter, whatever it looks like."),
        "graymail",
        WITHOUT_GRAYMAIL,
    ),
    List(
        "senders.social",
        "social",
        text("My social networks"),
        text("Their mail counts as a notice of a social network, whatever it looks like."),
        "graymail",
        WITHOUT_GRAYMAIL,
    ),
)


async def show(visit: Visit) -> Response:
    """Show the lists."""
    return _page(visit, await visit.work(lambda clerk: standing(visit, clerk)))


async def change(visit: Visit) -> Response:
    """Add a sender to a list, or take one out."""
    one = _named(visit.form.get("list"))
    given, gone = visit.form.get("sender").strip(), visit.form.get("remove")
    found = await visit.work(lambda clerk: standing(visit, clerk))
    _check_free(found.shown, one)

    def edit(clerk: Clerk) -> bool:
        with visit.writing(clerk) as connection:
            return senders.edit(
                connection,
                visit.account,
                one.key,
                add=() if gone else (given,),
                remove=(gone,),
                actor=USER,
                notify=visit.site.config.notices.is_on,
                now=visit.now,
            )

    wrong = "" if gone else _wrong(visit, one, given)
    if not wrong:
        try:
            return _saved(visit, await visit.work(edit))
        except ValueError:  # as many as there may be
            wrong = visit.say(TOO_MANY, most=MAX_PATTERNS)
    return _page(visit, found, wrong={one.key: wrong}, typed=given, status=HTTPStatus.UNPROCESSABLE_ENTITY)


async def show_text(visit: Visit) -> Response:
    """Show a list as a text to be edited."""
    one = _in_path(visit)
    found = await visit.work(lambda clerk: standing(visit, clerk))
    entries = _others(found, one) if one.key in found.shown.locked else _own(found, one)
    return _text_page(visit, one, found, "\n".join(entries), _mark(found, one), [], HTTPStatus.OK)


async def change_text(visit: Visit) -> Response:
    """Replace a list by a text: all of it or nothing."""
    one = _in_path(visit)
    found = await visit.work(lambda clerk: standing(visit, clerk))
    _check_free(found.shown, one)
    given, seen = visit.form.get("text").removeprefix(MARK), visit.form.get("seen")
    wrong = _wrong_lines(visit, one, given)
    if wrong:
        return _text_page(visit, one, found, given, seen, wrong, HTTPStatus.UNPROCESSABLE_ENTITY)
    present = _mark(found, one)
    if seen not in ("", present):
        return _text_page(visit, one, found, given, present, [visit.say(OUTDATED)], HTTPStatus.CONFLICT)
    wanted = parse(one.key, given)
    if wanted == _own(found, one):
        return _saved(visit, False)

    def put(clerk: Clerk) -> None:
        values: Mapping[str, Value] = {one.key: wanted}
        notify = visit.site.config.notices.is_on
        with visit.writing(clerk) as connection:
            settings.put(connection, visit.account, values, actor=USER, notify=notify, now=visit.now)

    await visit.work(put)
    return _saved(visit, True)


async def download(visit: Visit) -> Response:
    """Hand a list out as a file, an entry on each line."""
    one = _in_path(visit)
    found = await visit.work(lambda clerk: standing(visit, clerk))
    lines = "".join(f"{entry}\n" for entry in _own(found, one))
    disposition = f'attachment; filename="{one.name}.txt"'
    return Response(lines, media_type="text/plain", headers={"content-disposition": disposition})


def _named(name: str) -> List:
    """Return a list by its name; raise HTTPException."""
    found = next((one for one in ALL if one.name == name), None)
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return found


def _in_path(visit: Visit) -> List:
    return _named(visit.request.path_params["list"])


def _check_free(found: Shown, one: List) -> None:
    if one.key in found.locked:
        raise HTTPException(HTTPStatus.CONFLICT)


def _about(visit: Visit, one: List) -> str:
    return one.about if visit.site.config.mail.trusted_authserv_ids else one.unverified or one.about


def _own(found: Standing, one: List) -> tuple[str, ...]:
    own = found.shown.own.get(one.key, ())
    return own if isinstance(own, tuple) else ()


def _others(found: Standing, one: List) -> list[str]:
    """Return what the provider has put on a list of all users."""
    applied = found.shown.applied[one.key]
    own = frozenset(() if one.key in found.shown.locked else _own(found, one))
    return [entry for entry in applied if entry not in own] if isinstance(applied, list) else []


def _wrong(visit: Visit, one: List, given: str) -> str:
    """Return what is wrong with one entry."""
    try:
        return "" if len(_patterns(one, given)) == 1 else visit.say(WRONG)
    except ValueError:
        return visit.say(WRONG)


def _wrong_lines(visit: Visit, one: List, given: str) -> Sequence[str]:
    """Return what is wrong with the lines of a text."""
    wrong: list[str] = []
    for number, line in enumerate(given.splitlines(), 1):
        try:
            _patterns(one, line)
        except ValueError:
            wrong.append(visit.say(WRONG_LINE, number=number, line=line.strip()[:80]))
        if len(wrong) == SAID:
            return wrong
    if not wrong:
        try:
            _patterns(one, given)
        except ValueError:
            wrong.append(visit.say(TOO_MANY, most=MAX_PATTERNS))
    return wrong


def _patterns(one: List, given: str) -> Sequence[str]:
    found = parse(one.key, given)
    return found if isinstance(found, tuple) else ()


def _saved(visit: Visit, changed: bool) -> Response:
    return visit.go("senders", "saved=" + ("yes" if changed else "nothing"))


def _page(
    visit: Visit,
    found: Standing,
    *,
    wrong: Mapping[str, str] | None = None,
    typed: str = "",
    status: int = HTTPStatus.OK,
) -> Response:
    values = {
        "lists": ALL,
        "about": {one.key: _about(visit, one) for one in ALL},
        "own": {one.key: _own(found, one) for one in ALL},
        "others": {one.key: _others(found, one) for one in ALL},
        "most": MOST,
        "longest": LONGEST_PATTERN,
        "wrong": wrong or {},
        "typed": typed,
        **found.values(visit, [one.key for one in ALL]),
    }
    return visit.page("senders.html", values, status=status)


def _mark(found: Standing, one: List) -> str:
    """Return what a list is known by as it is, so that a text is not saved over another one unseen."""
    return hashlib.sha256("\n".join(_own(found, one)).encode()).hexdigest()


def _text_page(
    visit: Visit, one: List, found: Standing, given: str, seen: str, wrong: Sequence[str], status: int
) -> Response:
    values = {
        "one": one,
        "about": _about(visit, one),
        "text": given,
        "seen": seen,
        "wrong": wrong,
        **found.values(visit, [one.key]),
    }
    return visit.page("senders_text.html", values, status=status)
