"""A deployment's log, as the API lists it."""

from collections.abc import Sequence
from typing import Final

from app.repositories.paging import Db, Fetch, Listing, Where, lister

_LISTING: Final = Listing(
    select="e.id, e.deployment_id, e.event_type, e.severity, e.message, e.metadata, e.at",
    source="strategy_events e",
    keys=(("e.id", "bigint"),),
    documents=("metadata",),
)


def listing(db: Db, deployment_id: int, severity: Sequence[str] = ()) -> Fetch:
    """Newest first."""
    where = Where().add("e.deployment_id = {}", deployment_id)
    return lister(db, _LISTING, where.add("e.severity = ANY({})", [str(one) for one in severity]))
