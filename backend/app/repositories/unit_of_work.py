"""One transaction of the ORM as a block: committed at its end, rolled back when it raises."""

from types import TracebackType
from typing import Self

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from app.repositories.base import M, Repository

Sessions = async_sessionmaker[AsyncSession]


class UnitOfWork:
    """`async with uow:` — everything inside is one transaction. The order path does not use it."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._session: AsyncSession | None = None

    @property
    def session(self) -> AsyncSession:
        """The session of the block. Raises RuntimeError outside."""
        if self._session is None:
            raise RuntimeError("a unit of work is used outside its `async with` block")
        return self._session

    def repository(self, model: type[M]) -> Repository[M]:
        """The rows of a model inside this transaction."""
        return Repository(self.session, model)

    async def __aenter__(self) -> Self:
        self._session = self._sessions()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        session, self._session = self.session, None
        try:
            if kind is None:
                await session.commit()
            else:
                await session.rollback()
        finally:
            await session.close()
