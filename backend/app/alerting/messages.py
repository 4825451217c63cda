"""What a notification says: the condition first, then what to know and where to look."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from app.domain.events import Severity
from app.domain.notifications import Message

_LONGEST: Final = 2_000
"Of a detail: some messengers cut at 4,096 characters."


def raised(alert: Mapping[str, Any], round_: int, url: str) -> Message:
    """An alert, or its escalation."""
    again = f" (not acknowledged, told for the {_nth(round_)} time)" if round_ > 1 else ""
    over = f"It was resolved at {_at(alert['resolved_at'])}." if alert["resolved_at"] else ""
    times = alert["occurrences"]
    lines = [
        alert["detail"][:_LONGEST],
        "",
        f"{alert['category']}, since {_at(alert['raised_at'])}"
        + (f", {times} times" if times > 1 else ""),
        over,
        f"Alert {alert['id']}: {url}/trading-engine, or tradewright alerts acknowledge"
        f" {alert['id']}",
    ]
    return _message(alert, f"{alert['title']}{again}", lines)


def resolved(alert: Mapping[str, Any]) -> Message:
    """Good news."""
    by = "by itself" if alert["resolved_by"] == "system" else f"by {alert['resolved_by']}"
    lines = [
        f"Resolved {by} at {_at(alert['resolved_at'])}, raised at {_at(alert['raised_at'])}.",
        "",
        f"Alert {alert['id']}.",
    ]
    return Message(
        title=f"[resolved] {alert['title']}", body="\n".join(lines), severity=Severity.INFO
    )


def digest(alert: Mapping[str, Any]) -> Message:
    """The daily digest: its text is the alert's detail, whole."""
    return Message(title=alert["title"], body=alert["detail"], severity=Severity.INFO)


def test(name: str, at: datetime) -> Message:
    """What the test button sends."""
    return Message(
        title="[test] Tradewright can reach you",
        body=f"This is a test of the notification channel {name}, sent at {_at(at)}.",
        severity=Severity.INFO,
    )


def _message(alert: Mapping[str, Any], title: str, lines: list[str]) -> Message:
    body = "\n".join(line for number, line in enumerate(lines) if line or number == 1).strip()
    return Message(
        title=f"[{alert['severity']}] {title}", body=body, severity=Severity(alert["severity"])
    )


def _at(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _nth(number: int) -> str:
    return {2: "second", 3: "third"}.get(number, f"{number}th")
