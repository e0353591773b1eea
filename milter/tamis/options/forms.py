"""What a page's form sends: application/x-www-form-urlencoded, of bounded length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

KIND = "application/x-www-form-urlencoded"
LONGEST = 1_000_000  # octets; lists of senders are the longest: 4 of 2,000
MOST = 200  # fields


@dataclass(frozen=True, slots=True)
class Form:
    """The fields; one that a browser leaves out is empty."""

    fields: Mapping[str, Sequence[str]]

    def get(self, name: str) -> str:
        """Return a field, the last of several."""
        return self.fields.get(name, [""])[-1]


EMPTY = Form({})


async def read(request: Request) -> Form:
    """Return the form of a request; raise HTTPException."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != KIND:
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    octets = bytearray()
    try:
        async for some in request.stream():
            octets += some
            if len(octets) > LONGEST:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        fields = parse_qs(octets.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST)
    except (ClientDisconnect, ValueError):
        raise HTTPException(HTTPStatus.BAD_REQUEST) from None
    return Form(fields)
