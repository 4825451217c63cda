"""`tradewright guardian`: settings in, the guardian at work, until SIGTERM."""

import asyncio
import signal
from typing import Final

from app.core import clock, registry
from app.core.config import Settings, get_settings
from app.core.guardian import GuardianOptions
from app.core.logging import get_logger
from app.core.security import master_key, subkey
from app.core.tasks import end
from app.core.vault import open_vault
from app.db.address import database_url
from app.domain.instruments import Instrument
from app.domain.ports import Broker, BrokerSetup
from app.guardian.guardian import Guardian
from app.guardian.records import Records
from app.repositories.accounts import Account

PAPER: Final = "paper"
log = get_logger("trading")


def broker_of(account: Account, instruments: dict[str, Instrument]) -> Broker | None:
    """A connection of our own to the account's broker; None where its book is in the engine.

    Raises ConfigurationError where a key is missing, NotFound for a name that no adapter has.
    """
    if account.broker == PAPER:
        return None
    setup = BrokerSetup(
        account_id=account.id,
        mode=account.mode,
        instruments=instruments,
        settings=account.settings.broker,
        is_guardian=True,
    )
    broker: Broker = registry.load("brokers", account.broker)(setup)
    return None if broker.is_simulated else broker


async def run(settings: Settings | None = None, options: GuardianOptions | None = None) -> None:
    """Until SIGTERM or SIGINT."""
    settings, options = settings or get_settings(), options or GuardianOptions()
    key = subkey(master_key(settings.home, settings.app.secret_key), "journal")
    vault = open_vault(settings.home, settings.app)
    records = Records(database_url(), key, clock.system, vault)
    guardian = Guardian(settings.home, options, records, broker_of, clock.system)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    log.info("guardian_started", flatten=options.flatten, heartbeat=options.heartbeat_seconds)
    working, waiting = asyncio.create_task(guardian.run()), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([working, waiting], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        await end([working, waiting])
        await records.stopped()
        await records.close()
    log.info("guardian_stopped")
