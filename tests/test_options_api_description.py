"""The API against its own description: whatever is sent, nothing breaks, and nothing else is answered."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from itertools import cycle
from typing import Any

import pytest
import schemathesis
from hypothesis import assume, given, settings
from schemathesis import Case, GenerationMode, Response
from schemathesis.checks import CheckContext, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from tests.servers.milter import PATIENCE
from tests.servers.options import Options
from tests.servers.ports import free_port
from tests.stores import keep, make_config, make_ticket
from tests.web import make_token

from tamis.desk.tokens import MOST
from tamis.options.api.app import PREFIX
from tamis.options.api.call import Call
from tamis.options.api.calls import CALLS
from tamis.store.api_tokens import Scope


def what_does_not_fit_is_refused(context: CheckContext, response: Response, case: Case[Any]) -> bool | None:
    """Take "too large" for a refusal, too."""
    if response.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return None
    return negative_data_rejection(context, response, case)


CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    what_does_not_fit_is_refused,
    unsupported_method,
]

ACCOUNTS = cycle([f"user{number}@example.org" for number in range(MOST)])  # likewise, of changes
# Those first that only read, while there is little to be read.
ORDERED = sorted(CALLS, key=lambda call: call.scope is not Scope.READ)

KNOWN = {
    "ticket": "01KAR6FVC0ZZZZZZZZZZZZZZZZ",
    "sign_in": "01KAR6FVC0ZZZZZZZZZZZZZZZY",
}  # identifiers of what may be there


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Iterator[str]]]:
    """Run a web page for all of these tests; return its URL, and tokens without an end."""
    folder, port = tmp_path_factory.mktemp("api"), free_port()
    config = make_config(folder, more=f'[options]\nlisten = "inet:127.0.0.1:{port}"')
    # So many of webmails' servers that no limit of calls is reached, however long this goes on.
    tokens = [make_token(config, None) for _ in range(MOST)]
    keep(config, [make_ticket("anna@example.org", ticket_id=KNOWN["ticket"])])
    with Options(folder / "tamis.toml", port) as one:
        yield one.url + PREFIX, cycle(tokens)


@pytest.mark.parametrize(
    "mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda one: one.value
)
@pytest.mark.parametrize("call", ORDERED, ids=lambda call: call.name)
def test_whatever_is_sent_the_answer_is_one_that_is_described(
    server: tuple[str, Iterator[str]], call: Call, mode: GenerationMode
) -> None:
    url, tokens = server
    operation = schemathesis.openapi.from_url(f"{url}/openapi.json")[call.path][call.method]

    @given(operation.as_strategy(generation_mode=mode))
    @settings(max_examples=settings().max_examples // 5)
    def ask(case: Case[Any]) -> None:
        if mode is GenerationMode.POSITIVE:
            case.path_parameters.update({name: KNOWN[name] for name in call.identifiers})
        assume([] not in case.query.values())  # of which nothing would be sent
        account = "anna@example.org" if call.identifiers else next(ACCOUNTS)
        headers = {"authorization": f"Bearer {next(tokens)}", "tamis-account": account}
        case.call_and_validate(headers=headers, checks=CHECKS, timeout=PATIENCE)

    ask()
