"""The API as its own tests have it."""

from tests.api.conftest import (
    _quiet,
    admin,
    app,
    browser,
    calm_admin,
    calm_app,
    calm_browser,
    calm_visitor,
    environment,
    parts,
    visitor,
    world,
)

__all__ = [
    "_quiet",
    "admin",
    "app",
    "browser",
    "calm_admin",
    "calm_app",
    "calm_browser",
    "calm_visitor",
    "environment",
    "parts",
    "visitor",
    "world",
]
