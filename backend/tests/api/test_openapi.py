"""The OpenAPI document: valid, current, with names and examples that generated clients can use."""

import re

import jsonschema
import orjson
import pytest

from app.api.limits import CLASSES
from app.api.openapi import guards
from app.console.openapi import rendered
from app.core.config import ApiOptions
from app.core.environment import project_root
from app.domain.users import Scope
from tests.api.document import APP, DOCUMENT

TEXT = orjson.dumps(DOCUMENT).decode()
OPERATIONS = [
    (path, method, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
NOT_OURS = {"/{path}"}
"The built UI: nothing in it is anybody's."


def test_every_route_declares_a_scope_and_a_class_of_limit() -> None:
    undeclared = [
        (method, path)
        for path, method, guard in guards(APP.routes)
        if path not in NOT_OURS and (guard is None or guard.limit not in CLASSES)
    ]
    assert undeclared == []


def test_only_these_routes_are_public_in_development() -> None:
    public = {path for path, _, guard in guards(APP.routes) if guard and guard.scope is None}
    assert public == {
        "/ping",
        "/health",
        "/health/live",
        "/health/ready",
        "/api/auth/state",
        "/api/auth/sign-up",
        "/api/auth/sign-in",
        "/api/auth/refresh",
        "/api/auth/sign-out",
        "/api/trading-engine/health",
        "/docs",
        "/openapi.json",
    }


def test_whatever_changes_something_in_the_market_needs_the_scope_trade() -> None:
    for path, method, guard in guards(APP.routes):
        if method == "get" or guard is None or guard.scope is None:
            continue
        if path.startswith(("/api/orders", "/api/accounts", "/api/alerts", "/api/trading-engine")):
            assert guard.scope in (Scope.TRADE, Scope.ADMIN), path


def test_the_stop_and_cancel_share_no_bucket_with_anything_else() -> None:
    controls = {
        path for path, _, guard in guards(APP.routes) if guard and guard.limit == "controls"
    }
    assert "/api/trading-engine/resume" in controls
    assert "/api/orders/{client_order_id}" in controls
    assert "/api/orders" not in controls
    alone = {path for path, _, guard in guards(APP.routes) if guard and guard.limit == "emergency"}
    assert alone == {"/api/trading-engine/emergency-stop"}


def test_the_file_of_the_user_interface_is_current() -> None:
    file = project_root() / "frontend" / "openapi.json"
    assert file.read_text() == rendered(), "tradewright openapi > frontend/openapi.json"


def test_an_import_knows_where_to_send_its_requests() -> None:
    (server,) = DOCUMENT["servers"]
    url = server["url"].format(port=server["variables"]["port"]["default"])
    assert url == f"http://127.0.0.1:{ApiOptions.model_fields['port'].default}"


def test_operation_ids_are_unique_camel_case() -> None:
    ids = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-z]+([A-Z][a-z0-9]*)*", one) for one in ids)


def test_every_operation_says_what_it_does_and_how_it_can_fail() -> None:
    for path, method, operation in OPERATIONS:
        assert operation.get("description"), (path, method)
        assert {"422", "429", "500"} <= set(operation["responses"]), (path, method)


def test_every_reference_leads_somewhere() -> None:
    for target in set(re.findall(r'"\$ref":"#/components/([^"]+)"', TEXT)):
        group, _, name = target.partition("/")
        assert name in DOCUMENT["components"][group], target


@pytest.mark.parametrize("name", sorted(DOCUMENT["components"]["schemas"]))
def test_every_schema_is_valid_json_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(DOCUMENT["components"]["schemas"][name])


def test_money_is_text_and_has_an_example() -> None:
    price = DOCUMENT["components"]["schemas"]["ExecutionOut"]["properties"]["price"]
    assert price["type"] == "string"
    assert price["examples"]


def test_errors_are_problem_documents_everywhere() -> None:
    problem = DOCUMENT["components"]["responses"]["Problem404"]["content"]
    assert list(problem) == ["application/problem+json"]
    assert "HTTPValidationError" not in TEXT


def test_creating_posts_take_an_idempotency_key() -> None:
    creating = {
        path
        for path, method, operation in OPERATIONS
        if method == "post"
        and any(one["name"] == "Idempotency-Key" for one in operation.get("parameters", []))
    }
    assert creating == {"/api/orders", "/api/deployments", "/api/users", "/api/api-keys"}
