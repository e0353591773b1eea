"""What `tamis check` says of the web page."""

from __future__ import annotations

from collections.abc import Iterator

from tamis import address
from tamis.config import Config
from tamis.options.imap import ImapUnavailable, Mailboxes
from tamis.options.links import Links
from tamis.webpage import Imap
from tamis.wiring.remark import Remark, failed, ok, warning


def remarks(config: Config) -> Iterator[Remark]:
    """Say where it is and how users sign in, and what keeps them from it."""
    options = config.options
    shown = f"{options.url or options.listen}, sign-in by {', '.join(options.sign_in)}"
    yield ok(shown)
    where = address.parse(options.listen)
    if isinstance(where, address.InetAddress):
        if not where.is_loopback:
            yield warning(f"{where}: passwords go there in clear; let a reverse proxy alone reach it")
        if options.url.startswith("https:") and not options.proxies:
            yield warning("options.proxies is empty: all users seem to come from the reverse proxy")
    if "imap" in options.sign_in:
        yield _mailboxes(options.imap)
    if "link" in options.sign_in:
        try:
            Links.of(options.link)
        except ValueError as error:
            yield failed(f"options.link.key_file: {error}")


def _mailboxes(settings: Imap) -> Remark:
    try:
        Mailboxes.of(settings).probe()
    except (ImapUnavailable, ValueError) as error:
        return failed(str(error))
    return ok(f"{settings.server}: answers")
