"""The cookies, one for users and one for operators: random octets that say nothing, gone with the session."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from tamis.options import keys

NAME = "tamis"
HOST = "__Host-"  # for this host alone, by https alone, for all paths (RFC 6265bis section 4.1.3.2)
SECURE = "__Secure-"  # by https alone


class Cookie:
    """How it is set; bound to https where the page is, and to a path."""

    def __init__(self, name: str = NAME, path: str = "/", *, is_secure: bool) -> None:
        self._is_secure = is_secure
        self._path = path
        prefix = HOST if path == "/" else SECURE
        self._name = prefix + name if is_secure else name

    def read(self, request: Request) -> bytes | None:
        """Return the token that a browser holds."""
        return keys.read(request.cookies.get(self._name, ""))

    def give(self, response: Response, token: bytes) -> None:
        """Let a browser hold a token."""
        response.set_cookie(
            self._name,
            keys.written(token),
            path=self._path,
            secure=self._is_secure,
            httponly=True,
            samesite="lax",
        )

    def take(self, response: Response) -> None:
        """Let a browser forget it."""
        response.delete_cookie(
            self._name, path=self._path, secure=self._is_secure, httponly=True, samesite="lax"
        )
