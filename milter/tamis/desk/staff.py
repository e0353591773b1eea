"""Who works on people's records, and whether he may."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Mapping

GROUP = "tamis-desk"
ROOT = 0  # user ID


class NotAdmitted(Exception):
    """Who runs this is neither root nor in the group."""


def admit() -> None:
    """Raise NotAdmitted where there is the group, and this process has neither it nor root's user ID."""
    try:
        needed = grp.getgrnam(GROUP).gr_gid
    except KeyError:
        return
    groups = {os.getgid(), os.getegid(), *os.getgroups()}
    if ROOT not in (os.getuid(), os.geteuid()) and needed not in groups:
        raise NotAdmitted(f"for root and members of the group {GROUP} only")


def signature() -> Mapping[str, object]:
    """Return who does something, for the record: whom sudo or the login names, and the process's user."""
    return {"operator": operator(), "user": _user()}


def operator() -> str:
    """Return who does something: whom sudo or the login names, else the process's user."""
    return os.environ.get("SUDO_USER") or _login() or _user()


def _login() -> str | None:
    try:
        return os.getlogin()
    except OSError:  # nobody logged in: a timer, a container
        return None


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
