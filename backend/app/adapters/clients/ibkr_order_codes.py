"""What a message about an order means: a no, the end of it, a mere remark, or nothing certain.

The client libraries take every such message for the order's end; IBKR's list says otherwise.
Codes: https://interactivebrokers.github.io/tws-api/message_codes.html
"""

from enum import Enum, auto
from typing import Final

DUPLICATE_ID: Final = 103
REJECTED: Final = 201
CANCELED: Final = 202
HELD: Final = 404
"Short sale without shares to borrow: the order waits while IBKR looks for some."

_REMARKS: Final = frozenset({399, HELD, 10167, 10349})
"399: a warning of the exchange; 10349: the time in force came from a preset."
_TOO_LATE: Final = frozenset({104, 135, 136, 161, 10147, 10148})
"Not found, or not in a state to be changed or cancelled."
_REFUSED: Final = frozenset(
    {
        *(DUPLICATE_ID, 105, 106, 107, 109, 110, 111, 113, 114, 115, 116, 117, 133, 134),
        *(140, 141, 144, 145, 146, 147, 148, 151, 152, 154, 157, 158, 160, 163, 200, REJECTED, 203),
        *(311, 320, 321, 322, 328, 329, 355, 361, 382, 383, 387, 388, 411, 412, 421, 434, 435, 436),
        *(460, 10243, 10318),
    }
)
_READ_ONLY: Final = "read-only"


class Verdict(Enum):
    REMARK = auto()
    "The order is as it was."
    REFUSED = auto()
    "A definite no to what was just asked for."
    TOO_LATE = auto()
    "A definite no to a cancel or a change; the order has probably ended."
    CANCELED = auto()
    "The order has ended."
    UNCLEAR = auto()
    "Only the order's status says what became of it."


def judge(code: int) -> Verdict:
    """What the Gateway's message `code` about an order means."""
    if code == CANCELED:
        return Verdict.CANCELED
    if code in _REMARKS or 2100 <= code < 2200:
        return Verdict.REMARK
    if code in _TOO_LATE:
        return Verdict.TOO_LATE
    return Verdict.REFUSED if code in _REFUSED else Verdict.UNCLEAR


def sentence(code: int, said: str) -> str:
    """The message for people, with what to do about it where that is known."""
    text = " ".join(said.replace("Order Canceled - reason:", "").split())
    if code == 321 and _READ_ONLY in text.lower():
        text += " Switch off 'Read-Only API' in the Gateway: Configure, Settings, API, Settings."
    if code == CANCELED:
        return text or "canceled"
    return f"IBKR says ({code}): {text}"
