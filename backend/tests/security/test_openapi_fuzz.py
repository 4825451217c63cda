"""Every operation of the OpenAPI document, with what fits its schema and with what does not.

No answer is a fault of ours, and each has a status, a type and a form that the document names.
"""

from collections.abc import AsyncIterator
from copy import deepcopy
from typing import Any

import httpx
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.document import DOCUMENT
from tests.api.world import ADDRESS, PASSWORD, World, client_of, engine, sampled
from tests.servers import TestServers

load_all_checks()
CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = {GenerationMode.POSITIVE: 3, GenerationMode.NEGATIVE: 2}
OPERATIONS: dict[str, APIOperation] = {
    found.ok().label: found.ok()
    for found in schemathesis.openapi.from_dict(deepcopy(DOCUMENT)).get_all_operations()
}
REACHES_OUT = {"POST /api/notification-channels/{channel_id}/test"}
"It would send something to an address that was made up."


@pytest.fixture(scope="module")
async def fuzzed_app(
    test_servers: TestServers,
    template_database: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[FastAPI]:
    """Sample data, an engine that agrees to everything, no limit of rate, and two admins."""
    home = tmp_path_factory.mktemp("fuzzed")
    async with sampled(test_servers, template_database, home, _hide) as (app, url), engine(url, 1):
        await _sign_in(app)
        app.state.known = await _known(app.state.parts.pool)
        yield app


async def _hide(pool: Any) -> None:
    """Nobody guesses the numbers of the admins, and so shuts them out."""
    await pool.execute("ALTER TABLE users ALTER COLUMN id RESTART WITH 5000000")


async def _sign_in(app: FastAPI) -> None:
    app.state.tokens = []
    for email in ("fuzz@example.com", "other@example.com"):
        await World(app.state.parts.pool).person(email)
        body = {"email": email, "password": PASSWORD, "grant": "token"}
        async with client_of(app) as client:
            answer = (await client.post("/api/auth/sign-in", json=body)).json()
        app.state.tokens.append(answer["tokens"]["access_token"])


async def _known(pool: Any) -> dict[str, Any]:
    """What is there, by its name in paths: made-up names alone would find nothing."""
    return {
        "account_id": 1,
        "client_order_id": await pool.fetchval("SELECT client_order_id FROM orders LIMIT 1"),
        "signal_id": await pool.fetchval("SELECT signal_id FROM signals LIMIT 1"),
        "deployment_id": await pool.fetchval("SELECT min(id) FROM deployments"),
        "symbol": await pool.fetchval("SELECT symbol FROM stocks LIMIT 1"),
        "stream": "account:1",
        "seq": 1,
    }


def cases(operation: APIOperation, mode: GenerationMode, known: dict[str, Any]) -> list[Case]:
    """Some requests, the same in every run."""
    names = {parameter.name for parameter in operation.path_parameters}
    given_names = {name: value for name, value in known.items() if name in names}
    found: list[Case] = []

    @settings(
        max_examples=EXAMPLES[mode],
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        case=operation.as_strategy(
            generation_mode=mode,
            path_parameters=given_names or None if mode is GenerationMode.POSITIVE else None,
        )
    )
    def collect(case: Case) -> None:
        found.append(case)

    try:
        collect()
    except Unsatisfiable:  # nothing can be wrong with a request without a part
        return []
    return found


async def sent(
    client: httpx.AsyncClient, case: Case, headers: dict[str, str]
) -> httpx.Response | None:
    """The answer; None for what is no request of HTTP."""
    asked = case.as_transport_kwargs(base_url=ADDRESS, headers=headers)
    data = asked.pop("data", None)
    if isinstance(data, str | bytes):
        asked["content"] = data
    elif data is not None:
        asked["data"] = data
    client.cookies.update(asked.pop("cookies", None) or {})
    try:
        return await client.request(**asked)
    except (httpx.InvalidURL, UnicodeEncodeError, ValueError, TypeError):
        return None


def headers_for(app: FastAPI, label: str) -> dict[str, str]:
    """Signing out ends the tokens, so nobody does; people are changed by the second admin."""
    if label.endswith("/sign-out"):
        return {}
    return {"Authorization": f"Bearer {app.state.tokens['/api/users' in label]}"}


@pytest.mark.parametrize("label", sorted(set(OPERATIONS) - REACHES_OUT))
async def test_every_answer_is_documented_and_none_is_our_fault(
    fuzzed_app: FastAPI, redis_url: str, label: str
) -> None:
    operation, headers = OPERATIONS[label], headers_for(fuzzed_app, label)
    answered = 0
    async with client_of(fuzzed_app) as client:
        for mode in EXAMPLES:
            for case in cases(operation, mode, fuzzed_app.state.known):
                response = await sent(client, case, headers)
                if response is None:
                    continue
                answered += 1
                is_away = response.status_code == 503 and response.json()["code"] == "unavailable"
                assert response.status_code < 500 or is_away, (
                    case.as_curl_command(),
                    response.text,
                )
                is_file = response.headers["content-type"].startswith("text/csv")
                case.validate_response(response, checks=CHECKS[:1] if is_file else CHECKS)
    assert answered


async def test_the_admins_were_signed_in_to_the_end(fuzzed_app: FastAPI, redis_url: str) -> None:
    """Else all of the above would have been about 401."""
    async with client_of(fuzzed_app) as client:
        for token in fuzzed_app.state.tokens:
            answer = await client.get("/api/auth/me", headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 200
