"""`tradewright audit verify`: the hash chains of the journal and of the audit trail."""

import asyncio
from typing import Any

import typer

from app.console.output import Json, show
from app.core.config import settings
from app.core.errors import ChainBroken

app = typer.Typer(help="Hash chains: verify.", add_completion=False, no_args_is_help=True)


@app.callback()
def about() -> None:
    """What happened, and proof that nobody rewrote it."""


@app.command()
def verify(as_json: Json = False) -> None:
    """Recompute every chain; exit code 1 with the first bad row when one does not hold."""
    found = asyncio.run(_verify())
    bad = found["first_bad"]
    line = (
        f"{found['rows']} rows in {found['streams']} streams hold."
        if found["ok"]
        else f"Stream {bad['stream']} is broken at {bad['seq']}: {bad['detail']}"
    )
    show(found, line, as_json=as_json)
    if not found["ok"]:
        raise typer.Exit(1)


async def _verify() -> dict[str, Any]:
    from app.core.security import master_key, subkey
    from app.db.address import database_url
    from app.db.session import opened_pool
    from app.repositories import audit as trail
    from app.repositories import journal

    master = master_key(settings.home, settings.app.secret_key)
    rows, first_bad = 0, None
    async with opened_pool(database_url(), min_size=0, max_size=2) as pool:
        names = await journal.streams(pool)
        for stream in names:
            try:
                if stream == "audit":
                    rows += await trail.verify(pool, subkey(master, "audit"))
                else:
                    rows += await journal.verify(pool, stream, subkey(master, "journal"))
            except ChainBroken as error:
                first_bad = first_bad or {
                    "stream": stream,
                    "seq": error.context["seq"],
                    "detail": error.message,
                }
    return {
        "streams": len(names),
        "rows": rows,
        "ok": first_bad is None,
        "first_bad": first_bad,
    }
