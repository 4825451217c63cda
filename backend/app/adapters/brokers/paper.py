"""Paper trading: fills come from the bars themselves. See `app.engine.paper`."""

import msgspec

from app.domain.matching import FillModel
from app.domain.ports import BrokerSetup
from app.engine.paper import PaperBroker


class Adapter(PaperBroker):
    """The paper broker as an account's settings describe it."""

    def __init__(self, setup: BrokerSetup) -> None:
        model = msgspec.convert(setup.settings, FillModel, strict=False)
        super().__init__(model, setup.instruments)
