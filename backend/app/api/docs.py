"""/docs: every operation on one page, made from the OpenAPI document without a script."""

from html import escape
from typing import Any, Final

from fastapi import FastAPI
from starlette.responses import HTMLResponse, JSONResponse

from app.api.deps import PUBLIC, READ

_STYLE: Final = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;
color:#1c2430;background:#fff}
h2{margin-top:2.5rem;border-bottom:1px solid #d8dee6}code{font:13px ui-monospace,monospace}
details{border:1px solid #d8dee6;border-radius:8px;margin:.5rem 0;padding:.4rem .8rem}
summary{cursor:pointer}b.m{display:inline-block;width:4.5rem;color:#0b7a6f}small{color:#5b6675}
table{border-collapse:collapse;margin:.5rem 0}td,th{text-align:left;padding:.2rem .8rem .2rem 0;
vertical-align:top}
@media(prefers-color-scheme:dark){body{color:#dbe2ea;background:#11161d}
details,h2{border-color:#2a3440}b.m{color:#4fd1c0}}
"""


def install(app: FastAPI, *, is_public: bool) -> None:
    """Add the page, and the document that it is made from; for anybody, or who is signed in."""
    needs = [PUBLIC if is_public else READ]

    @app.get("/docs", include_in_schema=False, dependencies=needs)
    async def docs() -> HTMLResponse:
        """The API on one page."""
        return HTMLResponse(page(app.openapi()))

    @app.get("/openapi.json", include_in_schema=False, dependencies=needs)
    async def document() -> JSONResponse:
        """The API for programs."""
        return JSONResponse(app.openapi())


def page(document: dict[str, Any]) -> str:
    """The document as HTML."""
    by_tag: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            tag = operation.get("tags", ["other"])[0]
            by_tag.setdefault(tag, []).append(_operation(path, method, operation))
    parts = "".join(
        f"<h2 id='{escape(tag)}'>{escape(tag)}</h2>{''.join(items)}"
        for tag, items in by_tag.items()
    )
    info = document["info"]
    intro = "".join(f"<p>{escape(line)}</p>" for line in info["description"].split(".\n"))
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{escape(info['title'])} API"
        f"</title><meta name='viewport' content='width=device-width'><style>{_STYLE}</style>"
        f"<h1>{escape(info['title'])} API {escape(info['version'])}</h1>{intro}"
        f"<p>Import <a href='/openapi.json'>/openapi.json</a> into Postman or a code generator."
        f"</p>{parts}</html>"
    )


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    needs = operation.get("x-scope", "public")
    rows = "".join(_parameter(one) for one in operation.get("parameters", []))
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    sent = f"<p>Body: <code>{escape(_name(body['schema']))}</code></p>" if body else ""
    answers = ", ".join(operation.get("responses", {}))
    return (
        f"<details><summary><b class='m'>{method.upper()}</b> <code>{escape(path)}</code>"
        f" <small>{escape(needs)}</small></summary><p>{escape(operation.get('description', ''))}"
        f"</p>{f'<table>{rows}</table>' if rows else ''}{sent}<p><small>Answers {answers};"
        f" limit {escape(operation.get('x-rate-limit', ''))}; {escape(operation['operationId'])}"
        "</small></p></details>"
    )


def _parameter(one: dict[str, Any]) -> str:
    about = one.get("description") or one.get("schema", {}).get("description", "")
    required = "required" if one.get("required") else ""
    return (
        f"<tr><th><code>{escape(one['name'])}</code></th><td>{escape(one['in'])} {required}</td>"
        f"<td>{escape(about)}</td></tr>"
    )


def _name(schema: dict[str, Any]) -> str:
    choices = schema.get("oneOf") or schema.get("anyOf") or [schema]
    names = [one["$ref"].rpartition("/")[2] for one in choices if "$ref" in one]
    return " or ".join(names) or "object"
