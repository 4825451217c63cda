"""Our books against the broker's: what is asked, what was found, how the connection is."""

from typing import Literal

from pydantic import Field

from app.api.schemas.base import In, Instant, Out, PageQuery, Quantity
from app.domain.deployments import AccountMode
from app.engine.comparison import Subject, Verdict


class ReconcileIn(In):
    """A dry run says what would be done; `adopt` says that what the broker has is right."""

    dry_run: bool = False
    adopt: bool = False


class ReconciliationOut(Out):
    """One comparison; `differences` is what nothing explained."""

    id: int = Field(examples=[8])
    account_id: int = Field(examples=[1])
    at: Instant
    open_orders: int = Field(examples=[2])
    positions: int = Field(examples=[3])
    differences: list[str] = Field(examples=[["MSFT: 0 held here, 7 at the broker."]])


class ReconciliationQuery(PageQuery):
    """Newest first."""

    differing: bool = Field(default=False, description="Only those with differences.")


class BrokerStateOut(Out):
    """The account's connection to its broker, and whether our books agree with the broker's."""

    account_id: int = Field(examples=[1])
    broker: str = Field(examples=["alpaca"])
    mode: AccountMode
    state: Literal["connecting", "up", "down", "refused", "unknown"]
    reason: str = Field(examples=[""])
    since: Instant | None = None
    planned_until: Instant | None = Field(
        default=None, description="The end of an outage that was to be expected."
    )
    looked_at: Instant | None = Field(
        default=None, description="When the broker's books were last read whole."
    )
    is_reconciled: bool = Field(description="Orders may be sent.")
    differences: list[str] = Field(description="Unexplained now.", examples=[[]])
    in_flight: int = Field(description="Orders that the broker has not answered.", examples=[0])


class ComparisonLineOut(Out):
    """One thing in both books. Of orders the figures are what is still to be filled."""

    kind: Subject
    subject: str = Field(description="Symbol, currency, or our id of the order.", examples=["AAPL"])
    label: str = Field(examples=["sell 20 AAPL stop 95"])
    ours: Quantity | None = Field(description="null: not in our books.")
    theirs: Quantity | None = Field(description="null: not in the broker's.")
    verdict: Verdict
    explanation: str = Field(examples=["MSFT: 0 held here, 7 at the broker."])


class ComparisonOut(Out):
    """Both books as the last whole look saw them; short enough for one page."""

    account_id: int = Field(examples=[1])
    at: Instant | None = Field(description="null: they were never compared, or it is paper.")
    lines: list[ComparisonLineOut]
