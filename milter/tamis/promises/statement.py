"""The privacy notice: what a configuration does with mail, in plain words, which are Markdown, too."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from tamis.promises import analysis, storage
from tamis.promises.speech import Speech
from tamis.promises.terms import Terms

WIDTH = 100  # characters of a line


def statement(terms: Terms, language: str, *, since: int | None, now: int) -> str:
    """Return the notice. The terms are in force since a Unix time in ms, or not that we know."""
    say = Speech(language)
    return "\n\n".join(map(_wrapped, sections(terms, say, since=since, now=now))) + "\n"


def sections(terms: Terms, say: Speech, *, since: int | None, now: int) -> Iterator[str]:
    """Return its headings, paragraphs and lists, each on lines of its own."""
    yield f"# {say.gettext('How your mail is filtered, and what is kept of it')}"
    yield say.gettext(
        "This notice is about mail for addresses of {domains}. It is written by the mail filter itself "
        "(Tamis), from the configuration that it works by."
    ).format(domains=say.all_of(terms.domains))
    yield from analysis.sections(terms, say)
    yield from storage.sections(terms, say)
    yield f"## {say.gettext('This policy')}"
    if since is None:
        yield say.gettext("As of {date}. Fingerprint: `{fingerprint}`").format(
            date=say.date(now), fingerprint=terms.fingerprint
        )
    else:
        yield say.gettext("In force since {date}. Fingerprint: `{fingerprint}`").format(
            date=say.date(since), fingerprint=terms.fingerprint
        )
    yield say.gettext(
        "The fingerprint changes with anything that stands here. When a change takes force that weakens "
        "what was promised, the filter puts it on record."
    )


def _wrapped(paragraph: str) -> str:
    """Return a paragraph in lines that are not too long; list items are indented."""
    return "\n".join(
        line
        if line.startswith("#")
        else textwrap.fill(
            line,
            WIDTH,
            subsequent_indent="  " if line.startswith("- ") else "",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in paragraph.splitlines()
    )
