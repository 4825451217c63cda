"""`tradewright openapi`: the OpenAPI document on stdout, without a server or database."""

import sys

import orjson

from app.main import create_app


def openapi() -> None:
    """Print the OpenAPI document (as `frontend/openapi.json` holds it)."""
    sys.stdout.write(rendered())


def rendered() -> str:
    """The document as text: sorted nowhere, so that its order is that of the routes."""
    return orjson.dumps(create_app().openapi(), option=orjson.OPT_INDENT_2).decode() + "\n"
