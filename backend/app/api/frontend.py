"""The built UI: hashed files for ever, everything else fresh, deep links to its one page."""

from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, Response

from app.core.environment import project_root

FOREVER: Final = "public, max-age=31536000, immutable"
FRESH: Final = "no-cache"
_OURS: Final = ("api/", "ws", "docs", "openapi.json", "health", "metrics", "ping", "system")
_MISSING: Final = """<!doctype html><html lang="en"><meta charset="utf-8">
<title>Tradewright</title><h1>The API runs; the UI is not built yet.</h1>
<p>Build it with <code>make ui</code> (or <code>npm ci &amp;&amp; npm run build</code> in
<code>frontend/</code>), then reload. The API is described at <a href="/docs">/docs</a>.</p></html>
"""


def dist() -> Path:
    """Where the build lands."""
    return project_root() / "frontend" / "dist"


def install(app: FastAPI, folder: Path | None = None) -> None:
    """Serve the UI for every GET that no route of the API takes."""
    root = (folder or dist()).resolve()

    @app.get("/{path:path}", include_in_schema=False)
    async def page(path: str, request: Request) -> Response:
        """A file of the build, or its page."""
        if path.startswith(_OURS):
            raise HTTPException(404)
        file = (root / path).resolve()
        if path and file.is_relative_to(root) and file.is_file():
            kept = FOREVER if path.startswith("assets/") else FRESH
            return FileResponse(file, headers={"Cache-Control": kept})
        if path.startswith("assets/") or not _wants_page(request):
            raise HTTPException(404)
        index = root / "index.html"
        if not index.is_file():
            return HTMLResponse(_MISSING, 200, headers={"Cache-Control": FRESH})
        return FileResponse(index, headers={"Cache-Control": FRESH})


def _wants_page(request: Request) -> bool:
    accepted = request.headers.get("accept", "*/*")
    return "text/html" in accepted or "*/*" in accepted
