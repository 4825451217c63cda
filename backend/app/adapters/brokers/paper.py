"""Paper trading: fills come from the bars themselves. See `app.engine.paper`."""

from app.engine.paper import PaperBroker

Adapter = PaperBroker
