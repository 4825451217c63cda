"""`tradewright torture`: kill the real thing again and again, and look whether it holds."""

import json
import sys
from typing import Annotated

import msgspec
import typer

from app.console.output import Json


def torture(
    kills: Annotated[int, typer.Option(min=1, help="How many deaths, at least.")] = 60,
    seed: Annotated[int, typer.Option(min=0, help="Decides what dies, and when.")] = 0,
    only: Annotated[
        str | None, typer.Option(help="Kill nothing else: app, postgres or redis.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Kill core, PostgreSQL and Redis on a machine of its own, on paper; hold the books."""
    from app.core.errors import InvalidInput
    from app.core.registry import suggestion
    from app.torture import runs
    from app.torture.plan import Victim

    if only is not None and only not in set(Victim):
        raise InvalidInput(
            f"{only!r} is not what is killed.", field="only", remedy=suggestion(only, Victim)
        )

    def show(done: int) -> None:
        if sys.stderr.isatty() and not as_json:
            print(f"\r{done:,} of {kills:,} kills", end="", file=sys.stderr, flush=True)

    found = runs.run(kills, seed=seed, only=Victim(only) if only else None, progress=show)
    if as_json:
        print(json.dumps(msgspec.to_builtins(found), indent=2))
    else:
        killed = ", ".join(f"{many} {what}" for what, many in found.by_victim.items())
        print(
            f"{found.kills:,} kills ({killed}): {found.orders:,} orders, {found.events:,} events,"
            f" {found.acknowledged:,} acknowledged commands."
        )
        print(
            f"Recovered in {found.recovery_p50:.1f} s (p50), {found.recovery_p99:.1f} s (p99)."
            f" Duplicates {found.duplicates}, lost {found.lost}, violations {found.violations}."
        )
        for one in found.found[:20]:
            print(one)
    if not found.is_sound:
        raise typer.Exit(1)
