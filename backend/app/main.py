"""Builds the FastAPI application."""

from fastapi import FastAPI

from app.api.openapi import document, operation_id
from app.api.router import every_route

VERSION = "0.1.0"


def create_app() -> FastAPI:
    app = FastAPI(title="Tradewright", version=VERSION, generate_unique_id_function=operation_id)
    app.include_router(every_route())
    app.openapi = lambda: document(app.routes, VERSION)
    return app
