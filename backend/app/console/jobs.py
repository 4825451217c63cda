"""`tradewright jobs`: what is done on a schedule: list, history, run, pause, resume."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from app.console.output import Json, show, table
from app.core.errors import InvalidInput

if TYPE_CHECKING:
    from app.console.connection import Connected
    from app.jobs.desk import JobDesk

T = TypeVar("T")
POLL_SECONDS: Final = 0.2

app = typer.Typer(
    help="Jobs: list, history, run, pause, resume.", add_completion=False, no_args_is_help=True
)
Name = Annotated[str, typer.Argument(help="The job's name, as `jobs list` shows it.")]


@app.command("list")
def list_jobs(as_json: Json = False) -> None:
    """Every job: when it is due next, and what became of its last run."""
    rows = _run(lambda desk, _: desk.listed())
    lines = table([_flat(row) for row in rows], ("job", "schedule", "next_at", "last", "ended_at"))
    show({"jobs": rows}, lines, as_json=as_json)


@app.command()
def history(
    name: Name,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Runs to show.")] = 20,
    as_json: Json = False,
) -> None:
    """The runs of a job, the newest due time first."""

    async def work(desk: "JobDesk", _: "Connected") -> list[dict[str, Any]]:
        return (await desk.runs(name, [])(limit, None)).items

    rows = _run(work)
    columns = (
        "id",
        "scheduled_for",
        "trigger",
        "status",
        "progress",
        "attempt",
        "seconds",
        "error",
    )
    lines = table([{**row, "progress": _percent(row)} for row in rows], columns)
    show({"runs": rows}, lines, as_json=as_json)


@app.command()
def run(
    name: Name,
    payload: Annotated[
        str | None, typer.Option(help="What the run is given, as a JSON object.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Until it is over; 1 when it failed.")] = (
        False
    ),
    as_json: Json = False,
) -> None:
    """Queue a run now, paused or not; a running worker begins it."""
    given = _object(payload)

    async def work(desk: "JobDesk", at: "Connected") -> dict[str, Any]:
        from app.repositories import job_runs

        row, told = await desk.run(at.caller, name, given), ""
        while wait and row["finished_at"] is None:
            await asyncio.sleep(POLL_SECONDS)
            (row,) = await job_runs.by_ids(at.pool, [row["id"]])
            note = f"{_percent(row)} {row['progress_note'] or ''}".strip()
            if note not in ("", told) and not as_json:
                typer.echo(note, err=True)
                told = note
        return row

    row = _run(work)
    reason = f": {row['error']}" if row["error"] else ""
    show(row, f"Run {row['id']} of {name} is {row['status']}{reason}.", as_json=as_json)
    if row["status"] == "failed":
        raise typer.Exit(1)


@app.command()
def pause(name: Name, as_json: Json = False) -> None:
    """Let nothing of a job be due until it is resumed."""
    row = _run(lambda desk, at: desk.pause(at.caller, name))
    show(row, f"{name} is paused.", as_json=as_json)


@app.command()
def resume(name: Name, as_json: Json = False) -> None:
    """Let a job be due again."""
    row = _run(lambda desk, at: desk.resume(at.caller, name))
    next_at = f"; next at {row['next_at']}" if row["next_at"] else ""
    show(row, f"{name} is not paused{next_at}.", as_json=as_json)


def _run(work: "Callable[[JobDesk, Connected], Awaitable[T]]") -> T:
    from app.console import connection

    async def connected(at: "Connected") -> T:
        from app.core.clock import system
        from app.jobs.desk import JobDesk

        return await work(JobDesk(at.pool, at.audit_key, system), at)

    return connection.run(connected)


def _percent(row: dict[str, Any]) -> str:
    return "" if row["progress"] is None else f"{row['progress']:.0%}"


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    last = row["last_run"] or {}
    return {
        "job": row["name"],
        "schedule": row["schedule"] or "on request",
        "next_at": "paused" if row["is_paused"] else row["next_at"],
        "last": last.get("status", "never"),
        "ended_at": last.get("finished_at"),
    }


def _object(text: str | None) -> dict[str, Any]:
    import json

    if text is None:
        return {}
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise InvalidInput(
            f"{text!r} is no JSON object.", field="payload", remedy='Write e.g. {"days": 3}.'
        )
    return given
