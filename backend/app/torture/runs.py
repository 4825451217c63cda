"""A torture from nothing: a folder for a home, a machine in it, an account, and the end of all."""

import tempfile
from collections.abc import Callable
from math import inf
from pathlib import Path
from random import Random

from app.core import tasks
from app.db.session import opened_pool
from app.torture.machine import Machine, machine
from app.torture.people import SYMBOLS, Person, open_account
from app.torture.plan import Victim
from app.torture.torture import Summary, Torture


def run(
    kills: int,
    *,
    seed: int = 0,
    only: Victim | None = None,
    seconds: float = inf,
    progress: Callable[[int], None] = lambda _: None,
) -> Summary:
    """Survive `kills` deaths on paper, or as many as `seconds` allow.

    Raises NotSurvived when something does not come back.
    """
    with tempfile.TemporaryDirectory(prefix="tradewright-torture-") as folder:
        Path(folder).chmod(0o711)  # PostgreSQL may run as another user, who has to get in
        with machine(Path(folder) / "home") as made:
            return tasks.run(_on_paper(made, kills, seconds, seed, only, progress))


async def _on_paper(
    made: Machine,
    kills: int,
    seconds: float,
    seed: int,
    only: Victim | None,
    progress: Callable[[int], None],
) -> Summary:
    chance = Random(seed)  # nosec B311  # decides what dies, no secret
    async with opened_pool(made.url, max_size=4) as pool:
        account_id = await open_account(pool)
        person = Person(pool, account_id, SYMBOLS, chance)
        torture = Torture(pool, made, [person], chance, only=only, progress=progress)
        torture.found.seed = seed
        return await torture.run(kills, seconds)
