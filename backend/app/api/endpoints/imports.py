"""Files of market data: upload one, follow its progress, read what became of it."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.requests import ClientDisconnect

from app.api.deps import READ, Answer, CurrentCaller, Db, guard, parts_of
from app.api.schemas.base import Page, PageQuery
from app.api.schemas.imports import ImportOut, ImportQuery
from app.core.errors import InvalidInput, NotFound
from app.domain.users import Scope
from app.repositories import data_imports
from app.services.import_jobs import Upload

router = APIRouter(prefix="/api/imports", tags=["imports"])
_FILE: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "The file itself, as it is. Larger than other bodies: API_MAX_UPLOAD_MB.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("", dependencies=[READ])
async def list_imports(
    query: Annotated[PageQuery, Query()], db: Db, answer: Answer
) -> Page[ImportOut]:
    """Uploaded files, newest first, with how far each is."""
    return await answer(ImportOut, query, data_imports.listing(db))


@router.post("", status_code=202, dependencies=[guard(Scope.DATA)], openapi_extra=_FILE)
async def create_import(
    query: Annotated[ImportQuery, Query()],
    caller: CurrentCaller,
    request: Request,
    response: Response,
) -> ImportOut:
    """Upload a CSV, Parquet or DBN file; it is checked and stored in the background.

    Its rows go into a data set of their own, import:NAME. Importing a file again changes nothing.
    """
    declared = request.headers.get("content-length", "")
    hints = query.model_dump(mode="json", exclude={"file", "dataset"}, exclude_none=True)
    upload = Upload(
        name=query.file,
        dataset=f"import:{query.dataset.removeprefix('import:')}",
        hints=hints,
        actor=caller.actor,
        size=int(declared) if declared.isdigit() else 0,
    )
    row = await parts_of(request).imports.receive(upload, _chunks(request))
    response.headers["location"] = f"/api/imports/{row['id']}"
    return ImportOut.model_validate(row)


@router.get("/{import_id}", dependencies=[READ])
async def get_import(
    import_id: Annotated[int, Path(ge=1, le=2**63 - 1, examples=[3])], db: Db
) -> ImportOut:
    """One uploaded file: its state, its progress, and at the end its report."""
    row = await data_imports.find(db, import_id)
    if row is None:
        raise NotFound(f"There is no import {import_id}.", remedy="GET /api/imports lists them.")
    return ImportOut.model_validate(row)


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect:
        raise InvalidInput("The upload was broken off.", field="file") from None
