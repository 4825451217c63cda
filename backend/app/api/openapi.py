"""The OpenAPI document: security, problem documents and limits, derived from each route's guard."""

from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import Any, Final

from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import BaseRoute

from app.api.deps import Guard
from app.api.schemas.base import Problem

VERSION: Final = version("tradewright")
SECURITY_SCHEMES: Final[dict[str, Any]] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key (`tradewright keys create`) or an access token.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "tw",
        "description": "The browser's session; `__Host-tw` under TLS.",
    },
}
PROBLEMS: Final = {
    400: "The request cannot be read.",
    401: "Nobody is signed in, or the key or token is not valid.",
    403: "The caller's scopes do not reach this far, or the request came from another site.",
    404: "No such thing; the remedy names what is nearest.",
    409: "The present state does not allow it, or the idempotency key is in use.",
    413: "The body is larger than 1 MiB.",
    422: "A field is wrong: `field` names it, `remedy` helps.",
    429: "Too many requests: wait `Retry-After` seconds.",
    500: "Our fault; the correlation id finds it in the logs.",
    503: "A part that is needed is not running.",
}


DESCRIPTION: Final = """\
JSON in snake_case; money, quantities and order prices are strings, exact; times are ISO 8601 UTC.
Lists are paged by cursor (`?limit=&cursor=`); table lists also come as CSV (`?format=csv`).
Errors are problem documents (RFC 9457) with a stable `code`, the `field`, and a `remedy`.
A POST that creates takes an `Idempotency-Key`: the same key and body within 24 h repeat the stored
answer, another body is refused (422), one still in flight answers 409.
Orders and controls are commands to the account's engine: 200 or 201 with the outcome, 202 with a
command id when there is none after 2 s, 503 when no engine holds the account.
Live data: WebSocket `/ws` (see the documentation's page on it).
"""
TAGS: Final = [
    {"name": "health", "description": "Alive, ready, well."},
    {"name": "auth", "description": "Sign up once, sign in, stay signed in."},
    {"name": "accounts", "description": "Money, limits in use, controls."},
    {"name": "stocks", "description": "Bars, quotes, indicators."},
    {"name": "data-quality", "description": "Verdicts, gaps and their repair, coverage."},
    {"name": "orders", "description": "Ask, cancel, and read why."},
    {"name": "trading-engine", "description": "Status and emergency controls."},
]
SERVERS: Final[list[dict[str, Any]]] = [
    {
        "url": "http://127.0.0.1:{port}",
        "description": "This machine.",
        "variables": {"port": {"default": "8000", "description": "API_PORT"}},
    }
]
"""Without one, Postman sends its requests to nowhere."""


def operation_id(route: APIRoute) -> str:
    """`list_orders` -> `listOrders`: names of generated clients."""
    head, *rest = route.name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def guard_of(dependant: Dependant) -> Guard | None:
    """A route's declaration; the one nearest to the route wins."""
    guards = [part.call for part in dependant.dependencies if isinstance(part.call, Guard)]
    return guards[-1] if guards else None


def guards(routes: Sequence[BaseRoute]) -> Iterator[tuple[str, str, Guard | None]]:
    """(path, method, guard) of every HTTP operation; guard None means: not declared."""
    for context in iter_route_contexts(routes):
        if isinstance(context.original_route, APIRoute):
            for method in sorted(context.methods or ()):
                yield context.path_format or "", method.lower(), guard_of(context.dependant)


def document(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """The whole OpenAPI 3.1 document of `routes`; needs neither server nor database."""
    found = get_openapi(
        title="Tradewright",
        version=VERSION,
        description=DESCRIPTION,
        routes=routes,
        tags=TAGS,
        servers=SERVERS,
    )
    components = found.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas.update(_problem_schemas())
    components["securitySchemes"] = SECURITY_SCHEMES
    components["responses"] = {
        f"Problem{status}": {
            "description": text,
            "content": {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            },
        }
        for status, text in PROBLEMS.items()
    }
    for path, method, guard in guards(routes):
        operation = found["paths"].get(path, {}).get(method)
        if operation is not None and guard is not None:
            _declare(operation, method, guard)
    return found


def _problem_schemas() -> dict[str, Any]:
    schema = Problem.model_json_schema(
        mode="serialization", ref_template="#/components/schemas/{model}"
    )
    nested: dict[str, Any] = schema.pop("$defs", {})
    return {"Problem": schema, **nested}


def _declare(operation: dict[str, Any], method: str, guard: Guard) -> None:
    """Security, limits and every problem that this operation can answer with."""
    operation["x-rate-limit"] = guard.limit
    statuses = {400, 413, 422, 429, 500, 503}
    if guard.scope is None:
        operation["security"] = []
    else:
        operation["security"] = [{"bearer": []}, {"session": []}]
        operation["x-scope"] = str(guard.scope)
        statuses |= {401, 403}
    if guard.fresh:
        operation["x-step-up"] = True
    if operation["operationId"].startswith(("signUp", "signIn", "refresh", "signOut")):
        statuses |= {401, 403}
    if "{" in str(operation.get("parameters")) or method != "get":
        statuses |= {404, 409}
    responses = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]
    for status in sorted(statuses):
        responses.setdefault(str(status), {"$ref": f"#/components/responses/Problem{status}"})
