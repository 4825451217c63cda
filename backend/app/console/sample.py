"""`tradewright db sample`: rows to look at, in a database for development."""

import asyncio
from typing import Any

from app.console.output import Json, show


def sample(as_json: Json = False) -> None:
    """Fill a development database with one account's sample trading, labelled as sample."""
    report = asyncio.run(_fill())
    lines = [
        f"Made account {report['account_id']}, named Sample, with a year of made-up trading.",
        f"Sign in as {report['email']} with the password {report['password']}",
        *(f"{count:>8,}  {name}" for name, count in report["rows"].items()),
    ]
    show(report, lines, as_json=as_json)


async def _fill() -> dict[str, Any]:
    import msgspec

    from app.core.config import settings
    from app.core.security import master_key, subkey
    from app.db.address import database_url
    from app.db.session import opened_pool
    from app.services import sample as service

    key = subkey(master_key(settings.home, settings.app.secret_key), "journal")
    async with opened_pool(database_url(), max_size=2) as pool:
        report = await service.fill(
            pool, key, is_production=settings.environment.value == "production"
        )
    return dict(msgspec.to_builtins(report))
