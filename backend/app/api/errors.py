"""Every error as an RFC 9457 problem document: what happened, which field, what to do."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, cast

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.core.errors import InvalidInput, TooManyRequests, TradewrightError
from app.core.logging import get_logger
from app.repositories.journal import LOST_CONNECTION

log = get_logger("api")

TYPE: Final = "https://tradewright.dev/problems/"
MEDIA_TYPE: Final = "application/problem+json"
_CODES: Final = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    422: "invalid_input",
    429: "too_many_requests",
    503: "unavailable",
}


class ProblemResponse(Response):
    """A problem document. `fields` may add code, field, remedy, errors, context."""

    media_type = MEDIA_TYPE

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        correlation_id: str = "",
        instance: str | None = None,
        **fields: Any,  # noqa: ANN401 - members of the document
    ) -> None:
        code = fields.pop("code", None) or _CODES.get(status, "error")
        body = {
            "type": TYPE + code,
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
            "code": code,
            "instance": instance,
            "correlation_id": correlation_id,
            **{name: value for name, value in fields.items() if value},
        }
        super().__init__(orjson.dumps(body, default=str), status, headers)


def problem(request: Request, status: int, detail: str, **fields: Any) -> ProblemResponse:  # noqa: ANN401 - members of the document
    """The document about `request`, with its path and correlation id."""
    return ProblemResponse(
        status,
        detail,
        instance=request.url.path,
        correlation_id=getattr(request.state, "correlation_id", ""),
        **fields,
    )


async def on_tradewright_error(request: Request, error: Exception) -> Response:
    """Our own errors already say everything; a 5xx among them is logged with its trace."""
    known = cast(TradewrightError, error)
    if known.status_code >= 500:
        log.error("request_failed", code=known.code, error=str(known), exc_info=known)
    if known.status_code == 500:
        return problem(request, 500, _OUR_FAULT, code=known.code)
    return problem(
        request,
        known.status_code,
        known.message,
        code=known.code,
        field=known.field if isinstance(known, InvalidInput) else None,
        remedy=known.remedy,
        context=dict(known.context),
        headers=_headers(known),
    )


_OUR_FAULT: Final = "Something went wrong on our side; the correlation id finds it in the logs."


def _headers(error: TradewrightError) -> dict[str, str]:
    if isinstance(error, TooManyRequests):
        return {"Retry-After": str(error.context.get("retry_after", 1))}
    return {"WWW-Authenticate": "Bearer"} if error.status_code == 401 else {}


async def on_validation_error(request: Request, error: Exception) -> Response:
    """What pydantic found wrong, field by field; never the value that was sent."""
    found = [
        {"field": _field(item["loc"]), "detail": _sentence(item)}
        for item in cast(RequestValidationError, error).errors()
    ]
    first = found[0]
    if any(item["type"] == "json_invalid" for item in cast(RequestValidationError, error).errors()):
        return problem(request, 422, "The body is not valid JSON.", remedy="Send a JSON object.")
    return problem(
        request,
        422,
        f"{first['field'] or 'The body'}: {first['detail']}.",
        field=first["field"],
        remedy="Correct the field and send the request again; /docs shows every field's form.",
        errors=found,
    )


_PLACES: Final = frozenset({"body", "query", "path", "header", "cookie", "order", "signal"})


def _field(loc: Sequence[Any]) -> str:
    parts = [str(part) for part in loc if "enum[" not in str(part)]
    while parts and parts[0] in _PLACES:
        parts.pop(0)
    return ".".join(parts)


def _sentence(item: Mapping[str, Any]) -> str:
    return str(item["msg"]).removeprefix("Value error, ").rstrip(".")


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Unknown paths and methods, in the same form."""
    known = cast(HTTPException, error)
    detail = known.detail
    if known.status_code == 404:
        detail = f"There is nothing at {request.url.path}."
    return problem(request, known.status_code, detail, headers=known.headers)


async def on_database_away(request: Request, error: Exception) -> Response:
    """PostgreSQL restarts or is gone: nothing was done, or nobody knows; ask again."""
    log.warning("database_away", path=request.url.path, error=str(error))
    return problem(
        request,
        503,
        "The database does not answer just now.",
        remedy="Wait a moment and try again; a POST with an Idempotency-Key is safe to repeat.",
        headers={"Retry-After": "1"},
    )


def unexpected(correlation_id: str, instance: str) -> ProblemResponse:
    """500 without a word about the inside."""
    return ProblemResponse(
        500, _OUR_FAULT, code="internal_error", correlation_id=correlation_id, instance=instance
    )


def install(app: FastAPI) -> None:
    """Let `app` answer every error with a problem document."""
    app.add_exception_handler(TradewrightError, on_tradewright_error)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    app.add_exception_handler(HTTPException, on_http_exception)
    for lost in LOST_CONNECTION:
        app.add_exception_handler(lost, on_database_away)
