"""Create, read, update and delete, for every model, on the real database."""

import pytest
from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.base import Base
from tests.models.rows import APPEND_ONLY, Sample, samples

NUMBERS = range(len(samples()))
NAMES = [f"{sample.row.__tablename__}-{n}" for n, sample in enumerate(samples())]
every_sample = pytest.mark.parametrize("number", NUMBERS, ids=NAMES)


async def add_until(session: AsyncSession, number: int) -> Sample:
    """Write the samples up to `number`, one by one, since no relationship orders them."""
    kept = samples()[: number + 1]
    for sample in kept:
        session.add(sample.row)
        await session.flush()
    return kept[-1]


def values(row: Base) -> dict[str, object]:
    state = inspect(row)
    columns = state.mapper.column_attrs
    return {attribute.key: state.dict.get(attribute.key) for attribute in columns}


def test_every_table_has_a_sample() -> None:
    assert {sample.row.__tablename__ for sample in samples()} == set(Base.metadata.tables)


@every_sample
async def test_a_row_is_read_back_as_it_was_written(session: AsyncSession, number: int) -> None:
    written = samples()[number].row
    given = {key: value for key, value in values(written).items() if value is not None}
    identity = inspect((await add_until(session, number)).row).identity
    session.expunge_all()
    found = await session.get(type(written), identity)
    assert found is not None
    read = values(found)
    assert {key: read[key] for key in given} == given


@every_sample
async def test_a_row_can_be_changed_unless_it_is_append_only(
    session: AsyncSession, number: int
) -> None:
    sample = await add_until(session, number)
    setattr(sample.row, sample.attribute, sample.value)
    if type(sample.row) in APPEND_ONLY:
        with pytest.raises(DBAPIError, match="append-only"):
            await session.flush()
        return
    await session.flush()
    await session.refresh(sample.row, [sample.attribute])
    assert getattr(sample.row, sample.attribute) == sample.value


@every_sample
async def test_a_row_can_be_deleted_unless_it_is_append_only(
    session: AsyncSession, number: int
) -> None:
    sample = await add_until(session, number)
    identity = inspect(sample.row).identity
    await session.delete(sample.row)
    if type(sample.row) in APPEND_ONLY:
        with pytest.raises(DBAPIError, match="append-only"):
            await session.flush()
        return
    await session.flush()
    assert await session.get(type(sample.row), identity) is None
