"""What each answer says of itself to browsers: nothing from elsewhere, nothing kept, nothing passed on."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


def policy(frame_ancestors: Sequence[str]) -> str:
    """Return the Content-Security-Policy; only sites that are named may show a page in a frame."""
    frames = " ".join(frame_ancestors) or "'none'"
    own = "; ".join(f"{one}-src 'self'" for one in ("style", "script", "img", "connect"))
    return f"default-src 'none'; {own}; form-action 'self'; base-uri 'none'; frame-ancestors {frames}"


class Headers:
    """Adds them to all answers of an application."""

    def __init__(self, app: ASGIApp, frame_ancestors: Sequence[str]) -> None:
        self._app = app
        self._headers = {
            "content-security-policy": policy(frame_ancestors),
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "permissions-policy": "camera=(), geolocation=(), microphone=()",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def sender(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, receive, sender)
