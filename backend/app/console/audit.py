"""`tradewright audit`: what people did, and proof that nobody rewrote it or the journal."""

import asyncio
from typing import Annotated, Any

import typer

from app.console.output import Json, show, table
from app.core.config import settings

app = typer.Typer(
    help="Hash chains: verify, anchor; what people did: list.",
    add_completion=False,
    no_args_is_help=True,
)


@app.callback()
def about() -> None:
    """What happened, and proof that nobody rewrote it."""


@app.command()
def verify(
    since_anchors: Annotated[
        bool, typer.Option("--since-anchors", help="Only what came after the newest anchors.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Recompute every chain; exit code 1 with the first bad row when one does not hold."""

    async def work(chains: Any) -> dict[str, Any]:  # noqa: ANN401 - imported when it is needed
        found: dict[str, Any] = await chains.verify(since_anchors=since_anchors)
        return found

    _tell(_run(work), as_json=as_json)


@app.command()
def anchor(
    restart: Annotated[
        bool,
        typer.Option("--restart", help="Set the old anchors aside: after a restore."),
    ] = False,
    reason: Annotated[str, typer.Option(help="Why, for the audit trail.")] = "",
    as_json: Json = False,
) -> None:
    """Verify, and note the heads of the chains in the home; a job does so every hour."""

    async def work(chains: Any) -> dict[str, Any]:  # noqa: ANN401 - imported when it is needed
        if restart:
            await chains.restart("console", reason or "restarted at the command line")
        found: dict[str, Any] = await chains.anchor(since_anchors=not restart)
        return found

    _tell(_run(work), as_json=as_json)


@app.command("list")
def list_acts(
    actor: Annotated[str | None, typer.Option(help="Who, e.g. ada@example.com.")] = None,
    resource: Annotated[str | None, typer.Option(help="What kind of thing, e.g. config.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Acts to show.")] = 50,
    as_json: Json = False,
) -> None:
    """What people did, the newest first."""
    from app.console.keys import run
    from app.repositories import audit

    wanted = audit.AuditFilter(actor=actor, resource=resource)
    rows = run(lambda pool: audit.listing(pool, wanted)(limit, None)).items
    columns = ("seq", "at", "actor", "action", "resource", "resource_id", "reason")
    show({"acts": rows}, table(rows, columns), as_json=as_json)


def _tell(found: dict[str, Any], *, as_json: bool) -> None:
    lines = (
        [f"{found['rows']} rows in {found['streams']} streams hold."]
        if found["ok"]
        else [
            f"Stream {bad['stream']} is broken at {bad['seq']}: {bad['detail']}"
            for bad in found["bad"]
        ]
    )
    show(found, lines, as_json=as_json)
    if not found["ok"]:
        raise typer.Exit(1)


def _run(work: Any) -> dict[str, Any]:  # noqa: ANN401 - a coroutine function on the chains
    async def whole() -> dict[str, Any]:
        from app.core.clock import system
        from app.core.security import master_key
        from app.db.address import database_url
        from app.db.session import opened_pool
        from app.services.audit import Chains

        master = master_key(settings.home, settings.app.secret_key)
        async with opened_pool(database_url(), min_size=0, max_size=3) as pool:
            found: dict[str, Any] = await work(Chains(pool, master, settings.home, system))
            return found

    return asyncio.run(whole())
