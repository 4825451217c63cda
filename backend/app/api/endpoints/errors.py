"""Errors that any process logged, grouped by kind and place."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from app.api.deps import ADMIN, Answer, Db
from app.api.schemas.base import Page
from app.api.schemas.errors import ErrorOut, ErrorQuery
from app.repositories import errors

router = APIRouter(prefix="/api/errors", tags=["monitoring"])
Fingerprint = Annotated[
    str, Path(min_length=1, max_length=64, pattern=r"^[0-9a-z]+$", examples=["9f1c22ab0d3e4f56"])
]


@router.get("", dependencies=[ADMIN])
async def list_errors(
    query: Annotated[ErrorQuery, Query()], db: Db, answer: Answer
) -> Page[ErrorOut]:
    """The kind whose newest error is newest first."""
    return await answer(ErrorOut, query, errors.listing(db, **query.narrowed()))


@router.get("/{fingerprint}", dependencies=[ADMIN])
async def get_error(fingerprint: Fingerprint, db: Db) -> ErrorOut:
    """One kind."""
    return ErrorOut.model_validate(await errors.get(db, fingerprint))
