"""The application as nobody started it, and its OpenAPI document: both are made once a process."""

from app.main import create_app

APP = create_app()
DOCUMENT = APP.openapi()
