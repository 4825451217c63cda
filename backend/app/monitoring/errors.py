"""Errors that this process logs, grouped by kind and place until somebody writes them down."""

import hashlib
import logging
import re
import threading
import traceback
from datetime import UTC, datetime
from typing import Final

from app.core.logging import NAMESPACE
from app.core.redaction import redact_text
from app.repositories.errors import Group

MOST_GROUPS: Final = 200
"That wait to be written; more kinds at once are counted as one."
MOST_TEXT: Final = 20_000
"Characters of a trace, from its end: the cause stands there."
MOST_MESSAGE: Final = 1_000
OTHERS: Final = "others"
_FRAME: Final = re.compile(r'^\s*(?:\|\s*)*File "([^"]+)", line \d+, in (.+)$', re.MULTILINE)
_LAST: Final = re.compile(r"^(?:\s*\|\s*)?([A-Za-z_][\w.]*)(?:: (.*))?$", re.MULTILINE)
_OURS: Final = re.compile(r".*/(app|tradewright|strategies)/")


class ErrorLog(logging.Handler):
    """A handler for the root logger: takes what is logged at ERROR or above, from any thread."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._groups: dict[str, Group] = {}
        self._guard = threading.Lock()
        self.count = 0
        "Errors since the process began."

    def emit(self, record: logging.LogRecord) -> None:
        """Count it; never raises."""
        try:
            group = group_of(record)
        except Exception:  # noqa: BLE001 - a line that cannot be read must not stop who logs it
            self.handleError(record)
            return
        with self._guard:
            self.count += 1
            self._merge(group)

    def take(self) -> list[Group]:
        """What came since the last time."""
        with self._guard:
            taken, self._groups = list(self._groups.values()), {}
            return taken

    def give_back(self, groups: list[Group]) -> None:
        """They could not be written: keep them with what came meanwhile."""
        with self._guard:
            newer, self._groups = self._groups, {}
            for group in (*groups, *newer.values()):
                self._merge(group)

    def _merge(self, group: Group) -> None:
        known = self._groups.get(group.fingerprint)
        if known is None and len(self._groups) >= MOST_GROUPS:
            group.fingerprint = group.kind = OTHERS
            known = self._groups.get(OTHERS)
        if known is not None:
            group.occurrences += known.occurrences
            group.first_at = known.first_at
        self._groups[group.fingerprint] = group


def group_of(record: logging.LogRecord) -> Group:
    """A group of this one error; without a secret, as everything that is logged."""
    said = record.msg if isinstance(record.msg, dict) else {}
    trace = str(said.get("exception") or "") or _trace(record)
    event = str(said.get("event") or "") or redact_text(record.getMessage())
    kind, what = named(trace) if trace else (_short(event), str(said.get("error") or event))
    component = record.name.removeprefix(f"{NAMESPACE}.") or NAMESPACE
    at = datetime.fromtimestamp(record.created, UTC)
    correlation_id = said.get("correlation_id")
    return Group(
        fingerprint=fingerprint(kind, trace, component if not trace else ""),
        kind=kind,
        message=redact_text(what or event)[:MOST_MESSAGE],
        component=component,
        traceback=redact_text(trace[-MOST_TEXT:]),
        correlation_id=None if correlation_id is None else str(correlation_id),
        occurrences=1,
        first_at=at,
        last_at=at,
    )


def named(trace: str) -> tuple[str, str]:
    """The type and the message of the error that a trace ends with."""
    lines = [line for line in trace.rstrip().splitlines() if line and not line.startswith(" ")]
    for line in reversed(lines):
        if (found := _LAST.fullmatch(line)) and not line.startswith("Traceback"):
            return found[1].rpartition(".")[2], found[2] or ""
    return "Exception", ""


def fingerprint(kind: str, trace: str, component: str) -> str:
    """The same for the same error at the same place, whatever the line numbers and the message."""
    frames = _FRAME.findall(trace)
    ours = [frame for frame in frames if _OURS.match(frame[0])] or frames
    places = [f"{_OURS.sub('', file)}:{function}" for file, function in ours]
    text = "\n".join([kind, component, *places])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _trace(record: logging.LogRecord) -> str:
    if not record.exc_info or record.exc_info[1] is None:
        return ""
    return "".join(traceback.format_exception(record.exc_info[1]))


def _short(event: str) -> str:
    """Of a line without an exception its event; of free text its first words, without figures."""
    return re.sub(r"\d+", "#", event)[:80]
