"""Whether a user can connect to a unix socket: it takes writing to it, and entering the folders above it."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

BITS = {"write": stat.S_IWOTH, "enter": stat.S_IXOTH}


def obstacle(socket: Path, user: str, *, root: Path) -> str | None:
    """Return what keeps a user from a socket below a root that he is in, or None; raise OSError or KeyError.

    OSError where something of it cannot be seen, KeyError where there is no such user.
    """
    account = pwd.getpwnam(user)
    groups = set(os.getgrouplist(user, account.pw_gid))
    socket.stat()
    for path in _folders(socket, root):
        if not _may("enter", path, account.pw_uid, groups=groups):
            return f"{user} may not enter {path} ({_described(path)})"
    if not _may("write", socket, account.pw_uid, groups=groups):
        return f"{user} may not write to {socket} ({_described(socket)})"
    return None


def _folders(socket: Path, root: Path) -> Iterator[Path]:
    """Yield the folders that are entered on the way, the root itself not among them."""
    below = [path for path in socket.parents if path != root and path.is_relative_to(root)]
    yield from reversed(below)


def _may(what: str, path: Path, user: int, *, groups: set[int]) -> bool:
    """Tell whether the mode bits let somebody in; the first class he is in counts (path_resolution(7))."""
    if user == 0:
        return True
    bit = BITS[what]
    status = path.stat()
    if status.st_uid == user:
        return bool(status.st_mode & bit << 6)
    if status.st_gid in groups:
        return bool(status.st_mode & bit << 3)
    return bool(status.st_mode & bit)


def _described(path: Path) -> str:
    status = path.stat()
    return f"{_user(status.st_uid)}:{_group(status.st_gid)} {stat.S_IMODE(status.st_mode):04o}"


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
