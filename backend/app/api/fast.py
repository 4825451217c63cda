"""Large answers straight to JSON bytes, past the models that only document them."""

from typing import Any

import orjson
from starlette.responses import Response


def fast_json(value: Any) -> Response:  # noqa: ANN401 - any JSON value
    """`value` as a JSON response."""
    return Response(orjson.dumps(value), media_type="application/json")
