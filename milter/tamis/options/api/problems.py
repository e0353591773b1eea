"""What programs are told of what cannot be answered: problem details (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError
from starlette.responses import Response

KIND = "application/problem+json"
SAID = 20  # wrong places that are named


class Wrong(BaseModel):
    """One thing that is wrong with what was sent."""

    pointer: Annotated[str, Field(description="Where: a JSON pointer (RFC 6901), or a parameter's name")]
    detail: str


class Problem(BaseModel):
    """Why there is no other answer."""

    title: Annotated[str, Field(description="The status in words")]
    status: int
    detail: Annotated[str, Field(description="What it is about, for who reads the program's log")]
    errors: Annotated[list[Wrong], Field(description="What is wrong with what was sent")] = []


class Refused(Exception):
    """A call cannot be answered, for a reason that its program is told."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        errors: Sequence[Wrong] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}


def answer(refused: Refused) -> Response:
    """Return the answer."""
    problem = Problem(
        title=refused.status.phrase,
        status=refused.status,
        detail=refused.detail,
        errors=list(refused.errors),
    )
    return Response(
        problem.model_dump_json(exclude_defaults=True),
        refused.status,
        headers=dict(refused.headers),
        media_type=KIND,
    )


def unfit(error: ValidationError) -> Refused:
    """Return what is wrong with parameters or a body; what was sent is not said again."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    if any(one["type"] == "json_invalid" for one in found):
        return Refused(HTTPStatus.BAD_REQUEST, "The body is no JSON.")
    return _misfit([Wrong(pointer=_pointer(one["loc"]), detail=one["msg"]) for one in found])


def ambiguous(names: Sequence[str]) -> Refused:
    """Return that parameters are there more than once."""
    return _misfit([Wrong(pointer=_pointer([name]), detail="It is there more than once") for name in names])


def _misfit(wrong: Sequence[Wrong]) -> Refused:
    return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "What was sent does not fit.", errors=wrong[:SAID])


def _pointer(place: Sequence[int | str]) -> str:
    return "".join("/" + str(one).replace("~", "~0").replace("/", "~1")[:80] for one in place)
