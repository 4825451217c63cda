"""A timeline's parts as the API shows them."""

from app.api import columns
from app.api.schemas.orders import TimelineOut
from app.marketdata.batch import BarBatch
from app.repositories.paging import Row


def timeline_out(found: Row) -> TimelineOut:
    """From what the service has put together; its bars are columns."""
    batch: BarBatch | None = found.get("bars")
    return TimelineOut.model_validate({**found, "bars": columns.bars(batch) if batch else []})
