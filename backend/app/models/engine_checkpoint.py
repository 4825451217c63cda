"""Checkpoints of an account's engine: where a restart begins."""

from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import AccountId, Base, Recorded, check


class EngineCheckpoint(Base):
    """State of the engine after it handled event `seq` of the account's stream."""

    __tablename__ = "engine_checkpoints"
    __table_args__ = (
        check("seq", "seq >= 0"),
        {"info": {"owner": "repositories/checkpoints.py"}},
    )

    account_id: Mapped[AccountId] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    state: Mapped[bytes]
    created_at: Mapped[Recorded]
