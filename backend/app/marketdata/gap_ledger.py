"""What the ledger of gaps becomes when a series is looked at anew."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import msgspec

from app.marketdata.quality import Hole

UNEXPLAINED: Final = "unexplained"
CLOSED: Final = "closed"
NO_TRADE: Final = "no_trade"
PROVIDER_HOLE: Final = "provider_hole"
REPAIRED: Final = "repaired"
STATES: Final = (UNEXPLAINED, CLOSED, NO_TRADE, PROVIDER_HOLE, REPAIRED)
OPEN: Final = (UNEXPLAINED, PROVIDER_HOLE)
"Gaps that count as missing bars; the others are explained."


class Entry(msgspec.Struct, frozen=True):
    """A row of the ledger: bars missing in [start, end), in ns."""

    id: int
    start: int
    end: int
    bars: int
    state: str


class Changes(msgspec.Struct, frozen=True):
    """What to write so that the ledger says what is missing now."""

    new: list[Hole]
    "Gaps that nobody knew, or that were repaired and are there again."
    shortened: list[Entry]
    "Known gaps of which the end has been filled: as they are now."
    repaired: list[Entry]
    "Known gaps whose bars have come, with the stretch that is filled."


def compared(known: Sequence[Entry], found: Sequence[Hole]) -> Changes:
    """Hold what is missing against the ledger. Both are sorted by start."""
    held = {entry.start: entry for entry in known if entry.state != REPAIRED}
    cuts = sorted({at for entry in held.values() for at in (entry.start, entry.end)})
    pieces = [piece for hole in found for piece in _cut(hole, cuts)]
    new, shortened, repaired = [], [], []
    starts = [piece.start for piece in pieces]
    seen: set[int] = set()
    for piece in pieces:
        entry = held.get(piece.start)
        if entry is None:
            new.append(piece)
            continue
        seen.add(piece.start)
        if piece.end != entry.end:
            shortened.append(msgspec.structs.replace(entry, end=piece.end, bars=piece.bars))
    for entry in held.values():
        if entry.start not in seen:
            within = [start for start in starts if entry.start < start < entry.end]
            repaired.append(msgspec.structs.replace(entry, end=min([entry.end, *within])))
    return Changes(new, shortened, repaired)


def _cut(hole: Hole, cuts: Sequence[int]) -> list[Hole]:
    """The hole in pieces, where entries of the ledger begin and end within it."""
    inside = [at for at in cuts if hole.start < at < hole.end]
    if not inside:
        return [hole]
    step = -(-(hole.end - hole.start) // hole.bars)
    edges = [hole.start, *inside, hole.end]
    return [Hole(start, end, max(1, -(-(end - start) // step))) for start, end in pairwise(edges)]
