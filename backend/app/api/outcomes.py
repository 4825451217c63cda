"""Commands as answers: the outcome, a denial in words, and the status that says which."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from app.api.schemas.commands import CommandOut, CommandState, DenialOut
from app.core.errors import InvalidInput
from app.domain.denials import MEANING, Denial
from app.repositories.paging import Row

PENDING: Final[dict[int | str, dict[str, Any]]] = {
    202: {"model": CommandOut, "description": "Not answered within 2 s; ask the command."}
}
"""Of every operation that is a command."""

_STATES: Final = {
    "pending": CommandState.PENDING,
    "completed": CommandState.SUCCEEDED,
    "failed": CommandState.FAILED,
}


def command_out(row: Row) -> CommandOut:
    """A command's row as the API shows it."""
    result: dict[str, Any] = row["result"] or {}
    code = result.get("code")
    denial = None
    if code in set(Denial):
        detail = result.get("detail") or MEANING[Denial(code)]
        denial = DenialOut.model_validate({**result, "detail": detail})
    return CommandOut.model_validate(
        {
            **row,
            "state": _STATES[row["status"]],
            "denial": denial,
            "client_order_id": result.get("client_order_id"),
        }
    )


def answer(response: Response, row: Row, done: int = 200) -> CommandOut:
    """The command; 202 with its address while there is no outcome, else `done`.

    Raises InvalidInput where the engine could not make sense of what was asked.
    """
    _refuse_nonsense(row["result"] or {})
    command = command_out(row)
    if command.state is CommandState.PENDING:
        response.status_code = 202
        response.headers["Location"] = f"/api/commands/{command.id}"
    else:
        response.status_code = done
    return command


def _refuse_nonsense(result: Mapping[str, Any]) -> None:
    """What the engine alone can check is an error of the request like any other."""
    if result.get("code") == InvalidInput.code:
        raise InvalidInput(
            str(result["detail"]),
            field=result.get("field"),
            remedy="Correct the field and send the request again.",
        )
