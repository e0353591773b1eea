"""The description of the API (OpenAPI 3.1), made of the table of calls."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

import tamis
from tamis.options.api.call import KIND, Call
from tamis.options.api.gate import ACCOUNT
from tamis.options.api.problems import KIND as PROBLEM_KIND
from tamis.options.api.problems import Problem

# What any call may be answered with instead.
OF_ALL = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
OF_A_BODY = (
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
REFERENCE = "#/components/schemas/{model}"

Object = dict[str, Any]


def description(calls: Sequence[Call], url: str) -> Object:
    """Return the description of calls below a URL."""
    asked = [(one, "validation") for call in calls for one in (call.body, call.query) if one is not None]
    answered = [(call.answer, "serialization") for call in calls if isinstance(call.answer, type)]
    schemas, definitions = models_json_schema(
        [*asked, *answered, (Problem, "serialization")],  # type: ignore[list-item]
        ref_template=REFERENCE,
    )
    made: dict[type[BaseModel], Object] = {model: schema for (model, _), schema in schemas.items()}  # type: ignore[misc]
    paths: dict[str, Object] = {}
    for call in calls:
        paths.setdefault(call.path, {})[call.method.lower()] = _operation(call, made, definitions["$defs"])
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tamis",
            "version": tamis.__version__,
            "description": "What users set and see on the web page of Tamis, for programs.",
            "license": {"name": "GPL-3.0-or-later", "identifier": "GPL-3.0-or-later"},
        },
        "servers": [{"url": url}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(call: Call, made: Mapping[type[BaseModel], Object], definitions: Object) -> Object:
    operation: Object = {
        "operationId": call.name,
        "summary": call.about,
        "description": f"Needs a token that may {call.scope.value}.",
        "parameters": list(_parameters(call, definitions)),
        "responses": _responses(call, made),
    }
    if call.body is not None:
        operation["requestBody"] = {"required": True, "content": {KIND: {"schema": made[call.body]}}}
    return operation


def _parameters(call: Call, definitions: Object) -> Iterator[Object]:
    for name in re.findall(r"{(\w+)}", call.path):
        few = call.choices.get(name)
        schema: Object = {"type": "string", "minLength": 1} if few is None else {"enum": list(few)}
        yield {"name": name, "in": "path", "required": True, "schema": schema}
    if call.query is not None:
        query = definitions[call.query.__name__]
        for name, one in query.get("properties", {}).items():
            required = name in query.get("required", ())
            yield {"name": name, "in": "query", "required": required, "schema": one}
    yield {
        "name": ACCOUNT.title(),
        "in": "header",
        "required": False,
        "description": "The account that the webmail's server acts for, where the token is such a server's",
        "schema": {"type": "string"},
    }


def _responses(call: Call, made: Mapping[type[BaseModel], Object]) -> Object:
    done: Object = {"description": call.status.phrase}
    if isinstance(call.answer, str):
        done["content"] = {call.answer: {"schema": {"type": "string", "format": "binary"}}}
    elif call.answer is not None:
        done["content"] = {KIND: {"schema": made[call.answer]}}
    problem = {PROBLEM_KIND: {"schema": made[Problem]}}
    refusals = (*OF_ALL, *call.refusals, *(OF_A_BODY if call.body or call.query else ()))
    return {str(int(call.status)): done} | {
        str(int(one)): {"description": one.phrase, "content": problem} for one in sorted(refusals)
    }
