"""`tradewright dead-letters`: events that a handler gave up on: list them, send them again."""

from collections.abc import Sequence
from typing import Annotated

import typer

from app.console.connection import Connected, run
from app.console.output import Json, show
from app.console.words import Many, Row, show_list

app = typer.Typer(
    help="Events that a handler gave up on: list, redrive.",
    add_completion=False,
    no_args_is_help=True,
)
Handler = Annotated[str | None, typer.Option("--handler", help="Only of this handler.")]
Stream = Annotated[
    str | None, typer.Option("--stream", help="Only of this stream, such as account:1.")
]


@app.command("list")
def list_them(
    handler: Handler = None, stream: Stream = None, limit: Many = 50, as_json: Json = False
) -> None:
    """List them, the newest first."""
    from app.repositories import handler_deliveries

    async def work(at: Connected) -> Sequence[Row]:
        fetch = handler_deliveries.dead_letters(at.pool, handler, stream)
        return (await fetch(limit, None)).items

    columns = ("died_at", "handler", "stream", "seq", "type", "attempts", "error")
    show_list("dead_letters", run(work), columns, as_json=as_json)


@app.command()
def redrive(
    handler: Handler = None,
    stream: Stream = None,
    seq: Annotated[int | None, typer.Option(help="Only this event of the stream.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every dead letter.")] = False,
    as_json: Json = False,
) -> None:
    """Let them be tried again, as if for the first time. Audited."""
    from app.core.clock import system
    from app.core.errors import InvalidInput
    from app.repositories.journal import SharedJournal
    from app.services.dead_letters import DeadLetters

    if not (everything or handler or stream):
        raise InvalidInput(
            "Which dead letters?",
            field="handler",
            remedy="Name a --handler or a --stream, or say --all.",
        )

    async def work(at: Connected) -> dict[str, int]:
        journal = SharedJournal(at.pool, at.journal_key)
        service = DeadLetters(at.pool, journal, at.audit_key, system)
        return await service.redrive(at.caller.actor, at.caller.user_id, handler, stream, seq)

    counts = run(work)
    found = {"redriven": sum(counts.values()), "handlers": counts}
    lines = [f"{count} of {name} wait again." for name, count in sorted(counts.items())]
    show(found, lines or ["There was none."], as_json=as_json)
