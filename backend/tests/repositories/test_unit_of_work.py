"""A unit of work commits at its end and rolls back when it raises."""

from collections.abc import AsyncIterator

import pytest

from app.core.errors import NotFound
from app.db.session import create_engine, create_session_factory
from app.models.strategy import Strategy
from app.repositories.unit_of_work import UnitOfWork


@pytest.fixture
async def uow(database_url: str) -> AsyncIterator[UnitOfWork]:
    engine = create_engine(database_url)
    yield UnitOfWork(create_session_factory(engine))
    await engine.dispose()


async def test_what_is_added_is_there_afterwards(uow: UnitOfWork) -> None:
    async with uow:
        row = await uow.repository(Strategy).add(Strategy(name="momentum"))
    async with uow:
        found = await uow.repository(Strategy).get(row.id)
        assert found.name == "momentum"
        assert [one.name for one in await uow.repository(Strategy).list(name="momentum")]


async def test_an_error_undoes_everything(uow: UnitOfWork) -> None:
    with pytest.raises(ZeroDivisionError):
        await add_and_fail(uow)
    async with uow:
        assert not await uow.repository(Strategy).list(name="momentum")


async def add_and_fail(uow: UnitOfWork) -> None:
    async with uow:
        await uow.repository(Strategy).add(Strategy(name="momentum"))
        raise ZeroDivisionError


async def test_a_row_can_be_removed_and_is_missed(uow: UnitOfWork) -> None:
    async with uow:
        rows = uow.repository(Strategy)
        row = await rows.add(Strategy(name="momentum"))
        await rows.remove(row)
        with pytest.raises(NotFound, match="strategies"):
            await rows.get(row.id)


async def test_outside_its_block_it_has_no_session(uow: UnitOfWork) -> None:
    with pytest.raises(RuntimeError):
        _ = uow.session
