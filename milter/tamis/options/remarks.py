"""What `tamis check` says of the web page."""

from __future__ import annotations

import stat
from collections.abc import Iterator

from tamis import address
from tamis.config import Config
from tamis.options.imap import ImapUnavailable, Mailboxes
from tamis.options.links import Links
from tamis.webpage import Imap, Options
from tamis.wiring.remark import Remark, failed, ok, warning


def remarks(config: Config) -> Iterator[Remark]:
    """Say where it is and how users sign in, and what keeps them from it."""
    options = config.options
    yield ok(f"{options.url or options.listen}, sign-in {_ways(options)}")
    where = address.parse(options.listen)
    if isinstance(where, address.InetAddress):
        if not where.is_loopback:
            yield warning(f"{where}: passwords go there in clear; let a reverse proxy alone reach it")
        if options.url.startswith("https:") and not options.proxies:
            yield warning("options.proxies is empty: all users seem to come from the reverse proxy")
    elif int(options.socket_mode, 8) & stat.S_IWOTH:
        yield warning("options.socket_mode: any user of this host can say to be the reverse proxy")
    for network in options.proxies:
        if network.prefixlen == 0:
            yield warning(f"options.proxies: {network} is everybody, who can say to be anybody")
    if "imap" in options.sign_in:
        yield _mailboxes(options.imap)
        if options.imap.login == "local part" and len(config.mail.domains) > 1:
            yield warning(
                "options.imap.login is a local part, and mail.domains has several domains: "
                "who has anna@ in one can sign in as anna@ in each"
            )
    if "link" in options.sign_in:
        try:
            Links.of(options.link)
        except ValueError as error:
            yield failed(f"options.link.key_file: {error}")


def _ways(options: Options) -> str:
    """Say how users sign in, and whose word is taken for who an operator is."""
    users = (f"header {options.header.name}" if one == "header" else one for one in options.sign_in)
    shown = f"by {', '.join(users)}"
    if options.header.operator:
        shown += f"; of operators by password, header {options.header.operator}"
    return shown


def _mailboxes(settings: Imap) -> Remark:
    try:
        Mailboxes.of(settings).probe()
    except (ImapUnavailable, ValueError) as error:
        return failed(str(error))
    return ok(f"{settings.server}: answers")
