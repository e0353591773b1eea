"""What a page's form sends: application/x-www-form-urlencoded, of bounded length."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

KIND = "application/x-www-form-urlencoded"
LONGEST = 1_000_000  # octets; lists of senders are the longest: 4 of 2,000
MOST = 200  # fields
NUL = "\0"  # in no text that anybody types, and PostgreSQL takes none


@dataclass(frozen=True, slots=True)
class Form:
    """The fields; one that a browser leaves out is empty."""

    fields: Mapping[str, Sequence[str]]

    def get(self, name: str) -> str:
        """Return a field, the last of several."""
        return self.fields.get(name, [""])[-1]

    def choice(self, name: str, choices: Iterable[str]) -> str:
        """Return a field that has one of some values; raise HTTPException for another."""
        given = self.get(name)
        if given not in choices:
            raise HTTPException(HTTPStatus.BAD_REQUEST)
        return given


EMPTY = Form({})


async def read(request: Request) -> Form:
    """Return the form of a request; raise HTTPException."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != KIND:
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    try:
        given = (await octets(request)).decode()
        return Form(parse_qs(given, keep_blank_values=True, errors="strict", max_num_fields=MOST))
    except ValueError:
        raise HTTPException(HTTPStatus.BAD_REQUEST) from None


def check_address(request: Request) -> None:
    """Raise HTTPException where the address that is asked for is none that anything of ours has."""
    if NUL in request.url.path or NUL in "".join(request.query_params.values()):
        raise HTTPException(HTTPStatus.NOT_FOUND)


async def octets(request: Request) -> bytes:
    """Return the body of a request; raise HTTPException."""
    found = bytearray()
    try:
        async for some in request.stream():
            found += some
            if len(found) > LONGEST:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    except ClientDisconnect:
        raise HTTPException(HTTPStatus.BAD_REQUEST) from None
    return bytes(found)
