"""`tradewright sim`: prove the order path on a simulated world, seed by seed."""

import json
import os
import sys
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from app.console.output import Json

if TYPE_CHECKING:
    from app.simulation.runs import Found, Summary

app = typer.Typer(
    help="Run the order path on a simulated world with faults, seed by seed.",
    add_completion=False,
    no_args_is_help=True,
)
_SHOWN = 20


@app.command("run")
def run(
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds.")] = 2_000,
    first: Annotated[int, typer.Option("--from", min=0, help="The first of them.")] = 0,
    jobs: Annotated[int, typer.Option(min=0, help="Processes; 0: one for each core.")] = 0,
    profile: Annotated[str, typer.Option(help="What goes wrong; `mixed` draws it.")] = "mixed",
    planted: Annotated[
        bool, typer.Option("--planted", help="Look for bugs that were planted, instead.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Simulate seeds, and fail when one of them breaks an invariant."""
    from app.simulation import profile as profiles
    from app.simulation import runs

    workers = jobs or os.cpu_count() or 1
    if planted:
        _tell_planted(runs.find_all(first=first, most=seeds, jobs=workers), as_json)
        return
    profiles.draw(first, profile)  # a wrong name is told before processes are started

    def show(done: int) -> None:
        if not as_json and sys.stderr.isatty():
            print(f"\r{done:,} of {seeds:,} seeds", end="", file=sys.stderr, flush=True)

    found = runs.run(first, seeds, profile=profile, jobs=workers, progress=show)
    if not as_json and sys.stderr.isatty():
        print(file=sys.stderr)
    _tell(found, profile, as_json)


def _tell(found: "Summary", profile: str, as_json: bool) -> None:
    if as_json:
        print(json.dumps(msgspec.to_builtins(found), indent=2))
    else:
        print(
            f"{found.seeds:,} seeds, {found.seeds_per_second:.1f} a second:"
            f" {found.events:,} events, {found.orders:,} orders, {found.fills:,} fills,"
            f" {found.crashes:,} crashes."
        )
        for one in found.failures[:_SHOWN]:
            print(f"seed {one.seed} ({one.profile}): {one.violations[0]}")
            print(f"  repeat it: tradewright sim replay {one.seed} --profile {profile}")
        print(f"Seeds that broke an invariant: {found.violations}. Trace hash {found.trace_hash}.")
    if found.violations:
        raise typer.Exit(1)


def _tell_planted(found: "list[Found]", as_json: bool) -> None:
    seen = [one for one in found if one.seeds is not None]
    if as_json:
        bugs = [msgspec.to_builtins(one) for one in found]
        print(json.dumps({"planted": len(found), "found": len(seen), "bugs": bugs}, indent=2))
    else:
        for one in found:
            what = f"{one.seeds:>6,}" if one.seeds is not None else "  never"
            print(f"{what}  {one.bug}: {one.what}. {one.violation or ''}")
        print(f"{len(seen)} of {len(found)} planted bugs were found.")
    if len(seen) < len(found):
        raise typer.Exit(1)


@app.command("replay")
def replay(
    seed: Annotated[int, typer.Argument(min=0, help="The seed to repeat.")],
    profile: Annotated[str, typer.Option(help="The profile it was run with.")] = "mixed",
    as_json: Json = False,
) -> None:
    """Repeat one seed: its faults, its trace with virtual times, and what it broke."""
    from app.simulation.world import simulate

    outcome = simulate(seed, profile)
    if as_json:
        print(json.dumps(msgspec.to_builtins(outcome), indent=2))
    else:
        print(f"seed {outcome.seed}")
        for name, value in msgspec.to_builtins(outcome.profile).items():
            if value:
                print(f"  {name}: {value}")
        print("\n".join(outcome.trace))
        for one in outcome.violations:
            print(f"broken: {one}")
        print(f"trace hash {outcome.hash}")
    if outcome.violations:
        raise typer.Exit(1)
