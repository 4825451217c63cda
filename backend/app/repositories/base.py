"""What every repository over the ORM can do: get, find, list, add, remove."""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.errors import NotFound
from app.models.base import Base

M = TypeVar("M", bound=Base)


class Repository(Generic[M]):
    """Rows of one model in one session. It never commits: the unit of work does."""

    def __init__(self, session: AsyncSession, model: type[M]) -> None:
        self._session = session
        self._model = model

    async def find(self, *key: Any) -> M | None:  # noqa: ANN401 - any primary key
        """The row with this primary key, or None."""
        return await self._session.get(self._model, key[0] if len(key) == 1 else key)

    async def get(self, *key: Any) -> M:  # noqa: ANN401 - any primary key
        """The row with this primary key. Raises NotFound."""
        found = await self.find(*key)
        if found is None:
            words = ", ".join(map(str, key))
            raise NotFound(f"There is no row {words} in {self._model.__tablename__}.")
        return found

    async def list(self, limit: int = 100, **equal: Any) -> Sequence[M]:  # noqa: ANN401
        """Rows whose columns have these values, in the order of the primary key."""
        query = select(self._model).filter_by(**equal)
        query = query.order_by(*self._model.__mapper__.primary_key).limit(limit)
        return (await self._session.scalars(query)).all()

    async def add(self, row: M) -> M:
        """A new row, flushed so that its id is known."""
        self._session.add(row)
        await self._session.flush()
        return row

    async def remove(self, row: M) -> None:
        """Delete a row."""
        await self._session.delete(row)
        await self._session.flush()
